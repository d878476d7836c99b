// Makes system calls fail that the library makes, and no one else: one, or some at random.

#pragma once

#include "table.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <dlfcn.h>

namespace faults {

/// From now on each call of the library is counted.
void count();
/// The same, and call number `nth` of that kind, from 0, fails, and so many in a row.
void fail_one(std::size_t call, std::uint32_t nth, Fault fault, std::uint32_t times = 1);
inline void fail_one(Key call, std::uint32_t nth, Fault fault, std::uint32_t times = 1) {
  fail_one(call.index, nth, fault, times);
}
constexpr std::uint32_t for_ever = 1'000'000;
/// The same, and of so many in 10,000 calls one, of these kinds, which the seed chooses.
void fail_some(std::span<const Key> kinds, std::uint32_t in_10000, std::uint64_t seed);
/// Calls are what they are again. Returns how many have failed.
std::uint32_t stop();

/// Since count() and the like.
std::uint32_t reached(std::size_t call) noexcept;
std::uint32_t injected() noexcept;
/// What the library wrote to standard error meanwhile, which goes nowhere else.
std::string warnings();

/// Whether the library is a shared one, whose calls can be told from others'.
bool is_possible();
/// A name with two addresses, ::1 and 127.0.0.1.
inline constexpr std::string_view host_of_two_families = "two-families.invalid";

/// The functions that the library takes from others, by name.
std::string imports(std::string_view separator);

/// A call on its way to the system.
class Reached {
 public:
  explicit Reached(Key call, int fd = -1,
                   const void* caller = __builtin_return_address(0)) noexcept;

  bool is_by_library() const noexcept { return by_library_; }
  Fault fault() const noexcept { return fault_; }
  std::size_t size(std::size_t wanted) const noexcept {
    return fault_.how == How::shorter && wanted > 1 ? 1 : wanted;
  }
  /// For those that set errno.
  template <class Make>
  auto make(Make make, decltype(make()) failed = decltype(make())(-1)) const noexcept {
    if (fault_.how == How::not_at_all) return make();
    if (fault_.how == How::instead) {
      make_true();
      errno = fault_.error;
      return failed;
    }
    const auto result = make();
    if (fault_.how == How::shorter) {
      const int error = errno;
      tell_again();
      errno = error;
      return result;
    }
    errno = fault_.error;
    return failed;
  }
  /// For those that return an error's number.
  template <class Make>
  int made(Make make) const noexcept {
    if (fault_.how == How::not_at_all) return make();
    if (fault_.how == How::after) make();
    return fault_.error;
  }

 private:
  void make_true() const noexcept;
  void tell_again() const noexcept;

  Fault fault_;
  const int fd_;
  bool by_library_;
};

/// What is known of descriptors, for what the kernel would tell.
void note_registered(int fd, int epoll, std::uint32_t events, std::uint64_t data) noexcept;
enum class Kind : unsigned char { other, eventfd, memory };
void note_kind(int fd, Kind kind) noexcept;
Kind kind_of(int fd) noexcept;
void note_closed(int fd) noexcept;
/// What is sent to it arrives whole, or not.
bool keeps_bounds(int fd) noexcept;
void note_warning(std::string_view text);

/// The function that would be called without ours: the C library's, or a sanitizer's.
/// `ours` is the one that has its name.
template <auto ours>
class Real {
  using Function = decltype(ours);

 public:
  constexpr explicit Real(const char* name) noexcept : name_(name) {}

  template <class... Arguments>
  auto operator()(Arguments... arguments) noexcept {
    void* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = dlsym(RTLD_NEXT, name_);
      function_.store(function, std::memory_order_relaxed);
    }
    return reinterpret_cast<Function>(function)(arguments...);
  }

 private:
  const char* const name_;
  std::atomic<void*> function_{nullptr};
};

}  // namespace faults
