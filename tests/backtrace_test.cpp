// jumpcut/lowlevel/context.hpp: what a backtrace shows in a context, of a parked one, and while one
// is left; and how a context ends that must not end.

#include <jumpcut/impl/switch.hpp>
#include <jumpcut/lowlevel/context.hpp>

#include "context/first_frame.hpp"
#include "unwinding.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using jumpcut::impl::Saved;
using jumpcut::lowlevel::Context;
using unwinding::Trace;

namespace {

constexpr std::size_t stack_size = 256 * 1024;  // room for a sanitizer's frames

#define NO_TAIL_CALL asm volatile("" : : : "memory")

template <class Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

bool ends_at_entry(const Trace& trace) {
  return trace.depth > 0 && trace.frames[trace.depth - 1].function == unwinding::entry_function();
}

struct Traced {
  std::unique_ptr<std::byte[]> stack = std::make_unique<std::byte[]>(stack_size);
  Context main;
  Context* self = nullptr;
  Trace trace;

  std::span<std::byte> span() { return {stack.get(), stack_size}; }
};

void take_trace(void* argument) noexcept {
  static_cast<Traced*>(argument)->trace = unwinding::trace();
  NO_TAIL_CALL;
}

[[gnu::noinline]] void inner(Traced& t) {
  t.trace = unwinding::trace();
  t.self->switch_to(t.main);
  NO_TAIL_CALL;
}

[[gnu::noinline]] void middle(Traced& t) {
  inner(t);
  NO_TAIL_CALL;
}

void outer(void* argument, void*) {
  auto& t = *static_cast<Traced*>(argument);
  for (;;) middle(t);
}

void check_parked_frames(const Trace& trace) {
  int first = trace.find(address(&inner));
  REQUIRE(first >= 0);
  CHECK(trace.find(address(&middle)) == first + 1);
  CHECK(trace.find(address(&outer)) == first + 2);
  CHECK(ends_at_entry(trace));
}

}  // namespace

TEST_CASE("a backtrace in a context ends at its entry") {
  Traced t;
  Context context(t.span(), outer, &t);
  t.self = &context;
  t.main.switch_to(context);
  check_parked_frames(t.trace);
}

TEST_CASE("a backtrace on top of a parked context shows where it is parked") {
  Traced t;
  Context context(t.span(), outer, &t);
  t.self = &context;
  t.main.switch_to(context);
  t.trace = {};
  context.run_on_top(take_trace, &t);
  check_parked_frames(t.trace);
  CHECK(t.trace.find(address(&take_trace)) >= 0);

  t.main.switch_to(context);  // and it goes on as if nothing had been
  check_parked_frames(t.trace);
}

TEST_CASE("a backtrace on top of a context that never ran is its entry") {
  Traced t;
  Context context(t.span(), outer, &t);
  context.run_on_top(take_trace, &t);
  CHECK(ends_at_entry(t.trace));
  CHECK(t.trace.find(address(&outer)) < 0);
}

namespace {

struct Inlined {
  Saved near{};
  Saved far{};
};

[[gnu::noinline]] void inlined_inner(Inlined& i) {
  jumpcut::impl::switch_inlined(i.far, i.near, nullptr);
  NO_TAIL_CALL;
}

void inlined_outer(void* argument, void*) {
  for (;;) inlined_inner(*static_cast<Inlined*>(argument));
}

}  // namespace

TEST_CASE("a context that an inlined switch parked shows its frames too") {
  Traced t;
  Inlined i;
  auto top = reinterpret_cast<std::uintptr_t>(t.stack.get() + stack_size);
  jumpcut::impl::place_first_frame(i.far, t.stack.get() + (stack_size - top % 16), inlined_outer,
                                   &i);
  jumpcut::impl::jumpcut_switch(&i.near, &i.far, nullptr);
  jumpcut::impl::jumpcut_on_top(&i.far, take_trace, &t);
  int first = t.trace.find(address(&inlined_inner));
  REQUIRE(first >= 0);
  CHECK(t.trace.find(address(&inlined_outer)) == first + 1);
  CHECK(ends_at_entry(t.trace));
}

namespace {

void leave(void* argument, void*) {
  auto& t = *static_cast<Traced*>(argument);
  t.self->leave_to(t.main, &t, take_trace, &t);
}

[[gnu::noinline]] void* await_leaver(Traced& t) {
  void* message = t.main.switch_to(*t.self);
  NO_TAIL_CALL;
  return message;
}

}  // namespace

TEST_CASE("what runs while a stack is left stands on top of the one that goes on") {
  Traced t;
  Context context(t.span(), leave, &t);
  t.self = &context;
  CHECK(await_leaver(t) == &t);
  CHECK(t.trace.find(address(&await_leaver)) > 0);
  CHECK(t.trace.find(address(&leave)) < 0);
  CHECK_FALSE(ends_at_entry(t.trace));
}

namespace {

struct Ending {
  int status = 0;
  std::string error;
};

// What a child process does and says when it runs `entry` in a context.
Ending run_in_child(Context::Entry entry) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    rlimit no_core{};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    for (int signal : {SIGABRT, SIGSEGV}) std::signal(signal, SIG_DFL);  // not Catch2's handlers
    std::set_terminate([] {
      std::fputs("std::terminate was called\n", stderr);
      std::abort();
    });
    Traced t;
    Context context(t.span(), entry, &t);
    t.self = &context;
    t.main.switch_to(context);
    _exit(0);
  }
  close(ends[1]);
  Ending ending;
  char text[512];
  for (ssize_t length; (length = read(ends[0], text, sizeof text)) > 0;) {
    ending.error.append(text, static_cast<std::size_t>(length));
  }
  close(ends[0]);
  waitpid(child, &ending.status, 0);
  return ending;
}

void throw_out(void*, void*) {
  throw std::runtime_error("nobody catches this");
}

void return_at_once(void*, void*) {}

}  // namespace

TEST_CASE("an exception that leaves a context's entry function ends in std::terminate") {
  Ending ending = run_in_child(throw_out);
  CHECK(WIFSIGNALED(ending.status));
  CHECK(WTERMSIG(ending.status) == SIGABRT);
  CHECK_THAT(ending.error, Catch::Contains("std::terminate was called"));
}

TEST_CASE("an entry function that returns aborts the program and says so") {
  Ending ending = run_in_child(return_at_once);
  CHECK(WIFSIGNALED(ending.status));
  CHECK(WTERMSIG(ending.status) == SIGABRT);
  CHECK_THAT(ending.error, Catch::Contains("the entry function of a lowlevel::Context returned"));
}
