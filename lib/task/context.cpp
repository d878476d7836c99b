#include <jumpcut/context.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

namespace jumpcut {

namespace impl {

/// Sorted by key. Never changes once somebody else sees it, so threads may share it.
struct Bindings {
  struct Binding {
    const ContextKey* key;
    std::shared_ptr<const void> value;
  };
  std::atomic<std::size_t> references{1};
  std::vector<Binding> all;
};

void share(Bindings& bindings) noexcept {
  bindings.references.fetch_add(1, std::memory_order_relaxed);
}

void release(Bindings& bindings) noexcept {
  if (bindings.references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete &bindings;
}

namespace {

/// What code outside tasks and callbacks reads and changes.
thread_local ContextCell thread_context;
/// The same, where no scheduler runs, inside Context::run().
thread_local ContextCell* entered = nullptr;

auto place_of(std::vector<Bindings::Binding>& all, const ContextKey* key) {
  return std::lower_bound(all.begin(), all.end(), key,
                          [](const auto& binding, auto* wanted) { return binding.key < wanted; });
}

}  // namespace

ContextCell*& TaskBase::context_place() noexcept {
  Core* core = this_core;
  return core == nullptr ? entered : core->running->context_;
}

bool TaskBase::is_own_context(const ContextCell& context) noexcept {
  const Core* core = this_core;
  const TaskBase* task = core == nullptr ? nullptr : core->running->task_;
  return task != nullptr && task->shares_context_ && task->shared_context_ == &context;
}

ContextCell& current_context() noexcept {
  ContextCell* cell = TaskBase::context_place();
  return cell == nullptr ? thread_context : *cell;
}

std::shared_ptr<const void> ContextKey::find() const noexcept {
  const Bindings* bindings = current_context().bindings();
  if (bindings == nullptr) return nullptr;
  auto& all = const_cast<Bindings*>(bindings)->all;
  auto place = place_of(all, this);
  return place == all.end() || place->key != this ? nullptr : place->value;
}

void ContextKey::bind(std::shared_ptr<const void> value) const {
  ContextCell& cell = current_context();
  auto fresh = std::make_unique<Bindings>();
  if (cell.bindings() != nullptr) fresh->all = cell.bindings()->all;
  auto place = place_of(fresh->all, this);
  const bool bound = place != fresh->all.end() && place->key == this;
  if (value == nullptr) {
    if (bound) fresh->all.erase(place);
  } else if (bound) {
    place->value = std::move(value);
  } else {
    fresh->all.insert(place, {this, std::move(value)});
  }
  cell = ContextCell(fresh.release());
  TaskBase::note_binding();
}

ContextToken ContextKey::set(std::shared_ptr<const void> value) const {
  ContextToken token(*this);
  token.before_ = find();
  bind(std::move(value));
  return token;
}

void ContextKey::reset(const ContextToken& token) const {
  const std::string head = std::string("ContextVar '") + name_ + "', reset: this token ";
  if (token.key_ == nullptr) {
    throw RuntimeError(head + "has been used already; each set() makes one for one reset()");
  }
  if (token.key_ != this) {
    throw ValueError(head + "is of '" + token.key_->name_ + "'; reset that variable by it");
  }
  if (token.context_ != &current_context()) {
    throw ValueError(head + "is of another context; reset where set() was called, in that task");
  }
  bind(std::move(token.before_));
  token.key_ = nullptr;
}

void ContextKey::throw_unset() const {
  throw RuntimeError(std::string("ContextVar '") + name_ +
                     "' has no value in this context, and no initial one: set() it first, or get "
                     "it with a value to use otherwise");
}

void TaskBase::share_context(const Context& context) {
  context.cell_->add_ref();
  own_context_.~ContextCell();
  shared_context_ = context.cell_;
  shares_context_ = has_extras_ = true;
}

}  // namespace impl

Context::Context() : cell_(new impl::SharedContext) {}

Context::Entered::Entered(impl::SharedContext& context) : context_(context) {
  if (impl::TaskBase::is_own_context(context) || !context.enter()) {
    throw RuntimeError(
        "Context.run: this context is entered already, by the task that was created with it or by "
        "a run() that has not returned; run its copy() instead");
  }
  before_ = std::exchange(impl::TaskBase::context_place(), &context);
}

Context::Entered::~Entered() {
  impl::TaskBase::context_place() = before_;
  context_.leave();
}

Context Context::copy() const {
  Context copied;
  static_cast<impl::ContextCell&>(*copied.cell_) = *cell_;
  return copied;
}

Context copy_context() {
  Context context;
  static_cast<impl::ContextCell&>(*context.cell_) = impl::current_context();
  return context;
}

}  // namespace jumpcut
