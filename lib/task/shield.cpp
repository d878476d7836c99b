#include <jumpcut/shield.hpp>

#include <jumpcut/cancelled.hpp>

namespace jumpcut::impl {

void ShieldBase::watch(FutureBase& inner) {
  listen(own_);
  add_ref();
  try {
    inner_.watch(inner, *this);
  } catch (...) {
    drop_ref();
    throw;
  }
}

void ShieldBase::child_done(FutureBase& inner) {
  if (is_done()) {
    if (!inner.is_cancelled()) inner.set_retrieved();
    return;
  }
  if (inner.is_cancelled()) {
    cancel(without_message(inner.error()));
    return;
  }
  if (std::exception_ptr error = inner.exception()) return fail_with(std::move(error));
  try {
    copy_value(inner);
  } catch (...) {
    return fail_with(std::current_exception());
  }
  finish();
}

}  // namespace jumpcut::impl
