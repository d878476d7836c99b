#include <jumpcut/impl/task_space.hpp>

namespace jumpcut::impl {

void TaskSpace::close() noexcept {
  core = nullptr;
  loop = nullptr;
  memory_.retire();
  if (memory_.in_use() == 0) delete this;
}

void TaskSpace::give_back_aside(void* memory, std::size_t size) noexcept {
  memory_.give_back_aside(memory, size);
  if (loop == nullptr && memory_.in_use() == 0) delete this;
}

}  // namespace jumpcut::impl
