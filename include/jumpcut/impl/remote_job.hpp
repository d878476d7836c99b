#pragma once

#include <jumpcut/future.hpp>
#include <jumpcut/impl/remote_value.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

/// A call that a forked process makes, and the future of what it returns.
class JUMPCUT_API RemoteJob {
 public:
  explicit RemoteJob(AnyFuture result) noexcept : future(std::move(result)) {}
  RemoteJob(const RemoteJob&) = delete;
  RemoteJob& operator=(const RemoteJob&) = delete;
  virtual ~RemoteJob();

  /// In the worker: makes the call, and writes what it returns.
  virtual void call(RemoteWriter& writer) = 0;
  /// Here, once the worker has it.
  virtual void drop_function() noexcept = 0;
  /// Ends the future, which is not done, unless somebody else does meanwhile.
  virtual void finish(RemoteReader& reader) = 0;
  virtual void fail(std::exception_ptr error) = 0;

  const AnyFuture future;
};

template <class Function, class T>
class RemoteJobOf final : public RemoteJob {
 public:
  template <class F>
  RemoteJobOf(const Future<T>& result, F&& function)
      : RemoteJob(result), result_(result), function_(std::forward<F>(function)) {}

  void call(RemoteWriter& writer) override {
    if constexpr (std::is_void_v<T>) {
      (*function_)();
    } else {
      const T value = (*function_)();
      RemoteValue<T>::write(writer, value);
    }
  }
  void drop_function() noexcept override { function_.reset(); }
  void finish(RemoteReader& reader) override {
    if constexpr (std::is_void_v<T>) {
      static_cast<void>(reader);
      result_.set_result();
    } else {
      T value = RemoteValue<T>::read(reader);
      if (!result_.done()) result_.set_result(std::move(value));
    }
  }
  void fail(std::exception_ptr error) override { result_.set_exception(std::move(error)); }

 private:
  const Future<T> result_;
  std::optional<Function> function_;
};

}  // namespace jumpcut::impl
