// jumpcut/lowlevel/overflow.hpp: code that uses up its stack ends the process with a message, and
// whoever handled faults before still does. Every overflow happens in a child.

#include <jumpcut/lowlevel/overflow.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/context.hpp>

#include "child.hpp"
#include "overflows.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include <catch2/catch.hpp>

using namespace jumpcut::lowlevel;
using Catch::Contains;

namespace {

void say(std::string_view text) {
  (void)!write(STDERR_FILENO, text.data(), text.size());
}

struct Neighbours {
  Stack below, above;
} neighbours;

bool untouched(const Stack& stack) {
  return std::all_of(stack.low, stack.top, [](std::byte b) { return b == std::byte{0xAB}; });
}

/// A host's handler, there before ours: looks at the neighbours' memory, then lets the process die.
void look_at_neighbours(int signal, siginfo_t*, void*) {
  bool good = untouched(neighbours.below) && untouched(neighbours.above);
  say(good ? "neighbours untouched\n" : "a neighbour was written to\n");
  std::signal(signal, SIG_DFL);
}

void handle_with(void (*function)(int, siginfo_t*, void*), int flags = SA_ONSTACK) {
  struct sigaction action {};
  action.sa_sigaction = function;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(SIGSEGV, &action, nullptr);
}

std::size_t name_it(const Stack&, char* buffer, std::size_t size) noexcept {
  constexpr std::string_view name = "deep thought";
  return name.copy(buffer, size);
}

struct Job {
  Context here, *self = nullptr;
  Overflow what{};
};

void run_job(void* argument, void*) {
  auto& job = *static_cast<Job*>(argument);
  job.what.function(job.what.argument);
  say("came back\n");
  job.self->leave_to(
      job.here, nullptr, [](void*) noexcept {}, nullptr);
}

/// In a child: overflows the second of three stacks that lie side by side.
void overflow(const Overflow& what, StackPoolOptions options = {}) {
  StackPool pool(options);
  std::array<Stack, 3> stacks = {pool.take(), pool.take(), pool.take()};
  std::sort(stacks.begin(), stacks.end(), [](auto& a, auto& b) { return a.low < b.low; });
  neighbours = {stacks[0], stacks[2]};
  for (const Stack& stack : {stacks[0], stacks[2]})
    std::fill(stack.low, stack.top, std::byte{0xAB});
  Job job;
  job.what = what;
  Context context({stacks[1].low, stacks[1].top}, run_job, &job);
  job.self = &context;
  job.here.switch_to(context);
  pool.leak();
}

void prepare() {
  ensure_alternate_stack();
  install_overflow_handler();
}

bool guarded() {
  return StackPool().guard_mode() != GuardMode::canary;
}

}  // namespace

TEST_CASE("every overflow ends in SIGSEGV and its message, and no neighbour is written to") {
  if (!guarded()) return;
  for (const Overflow& what : overflows) {
    for (GuardMode mode : {GuardMode::automatic, GuardMode::mprotect}) {
      for (std::size_t size : {64U * 1024, 256U * 1024, 320U * 1024}) {
        Ended ended = in_child([&] {
          handle_with(look_at_neighbours);
          prepare();
          name_stacks_with(name_it);
          overflow(what, {.stack_size = size, .guard = mode});
        });
        INFO(what.name << ", " << size << ": " << ended.output);
        CHECK(ended.signal == SIGSEGV);
        CHECK_THAT(ended.output, Contains("jumpcut: stack overflow in fiber 'deep thought'"));
        CHECK_THAT(ended.output, Contains("its stack of " + std::to_string(size) + " bytes"));
        CHECK_THAT(ended.output, Contains("{.stack_size = " + std::to_string(size * 4) + "}"));
        CHECK_THAT(ended.output, Contains("neighbours untouched"));
      }
    }
  }
}

TEST_CASE("a stack without a name is told by its addresses") {
  if (!guarded()) return;
  Ended ended = in_child([] {
    prepare();
    overflow(overflows[0]);
  });
  CHECK(ended.signal == SIGSEGV);
  CHECK_THAT(ended.output, Contains("jumpcut: stack overflow: a stack of 262144 bytes [0x"));
}

TEST_CASE("on another thread an overflow gets its message too") {
  if (!guarded()) return;
  Ended ended = in_child([] {
    prepare();
    std::thread([] {
      ensure_alternate_stack();
      overflow(overflows[0]);
    }).join();
  });
  CHECK(ended.signal == SIGSEGV);
  CHECK_THAT(ended.output, Contains("jumpcut: stack overflow"));
}

TEST_CASE("a host's handler that comes later and calls ours sees the message made") {
  if (!guarded()) return;
  static struct sigaction ours;
  Ended ended = in_child([] {
    prepare();
    sigaction(SIGSEGV, nullptr, &ours);
    handle_with([](int signal, siginfo_t* info, void* context) {
      say("host first\n");
      ours.sa_sigaction(signal, info, context);
    });
    install_overflow_handler();  // a second scheduler: must not make the two call each other
    overflow(overflows[0]);
  });
  CHECK(ended.signal == SIGSEGV);
  CHECK_THAT(ended.output, Catch::StartsWith("host first\njumpcut: stack overflow"));
}

TEST_CASE("a host's handler that does not call ours can describe the fault itself") {
  if (!guarded()) return;
  Ended ended = in_child([] {
    prepare();
    handle_with([](int, siginfo_t* info, void*) {
      char text[400];
      say("host: ");
      say({text, describe_fault(info->si_addr, text, sizeof text)});
      _exit(9);
    });
    overflow(overflows[0]);
  });
  CHECK(ended.exit_code == 9);
  CHECK_THAT(ended.output, Catch::StartsWith("host: jumpcut: stack overflow"));
}

TEST_CASE("a host's plain handler from before gets the signal with its mask and its once-only") {
  if (!guarded()) return;
  Ended ended = in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int signal) {
      sigset_t mask;
      sigprocmask(SIG_SETMASK, nullptr, &mask);
      say(signal == SIGSEGV && sigismember(&mask, SIGUSR1) == 1 ? "mask kept\n" : "mask lost\n");
      say(sigismember(&mask, SIGSEGV) == 1 ? "deferred\n" : "not deferred\n");
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, nullptr);
    prepare();
    overflow(overflows[0]);  // the handler returns, the fault comes again, and now nobody takes it
  });
  CHECK(ended.signal == SIGSEGV);
  auto first = ended.output.find("mask kept\nnot deferred\n");
  CHECK(first != std::string::npos);
  CHECK(ended.output.find("mask kept", first + 1) == std::string::npos);
}

TEST_CASE("a host's handler that jumps out of an overflow can do so again and again") {
  if (!guarded()) return;
  static sigjmp_buf out;
  Ended ended = in_child([] {
    handle_with([](int, siginfo_t*, void*) { siglongjmp(out, 1); });
    prepare();
    static volatile int rounds = 0;
    if (sigsetjmp(out, 1) == 1) rounds = rounds + 1;
    if (rounds < 3) overflow(overflows[0]);
    say("survived\n");
  });
  if (sanitized) return;  // they do not follow a jump between stacks
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("survived"));
}

TEST_CASE("switched off in the environment, an overflow is a plain SIGSEGV") {
  if (!guarded() || sanitized) return;
  Ended ended = in_child([] {
    setenv("JUMPCUT_OVERFLOW", "off", 1);
    prepare();
    overflow(overflows[0]);
  });
  CHECK(ended.signal == SIGSEGV);
  CHECK(ended.output.empty());
}

TEST_CASE("once uninstalled, the handler from before is back") {
  Ended ended = in_child([] {
    handle_with(look_at_neighbours);
    prepare();
    install_overflow_handler();
    uninstall_overflow_handler();
    struct sigaction now {};
    sigaction(SIGSEGV, nullptr, &now);
    expect(now.sa_sigaction == look_at_neighbours, "the host's is back");
    uninstall_overflow_handler();
    install_overflow_handler();
    auto later = [](int, siginfo_t*, void*) {};
    handle_with(later);
    uninstall_overflow_handler();
    sigaction(SIGSEGV, nullptr, &now);
    expect(now.sa_sigaction == later, "one that replaced ours is left alone");
    std::signal(SIGSEGV, SIG_DFL);
    install_overflow_handler();
    sigaction(SIGSEGV, nullptr, &now);
    expect(now.sa_handler != SIG_DFL, "where ours was thrown out it is installed again");
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("any other fault keeps the behaviour it had") {
  if (sanitized) return;  // theirs is a report
  StackPool pool;
  Stack stack = pool.take();
  Ended null = in_child([] {
    prepare();
    *static_cast<volatile char*>(nullptr) = 1;
  });
  CHECK(null.signal == SIGSEGV);
  CHECK(null.output.empty());
  Ended sent = in_child([] {
    prepare();
    raise(SIGSEGV);
    say("came back\n");
  });
  CHECK(sent.signal == SIGSEGV);
  CHECK(sent.output.empty());
  Ended ignored = in_child([] {
    std::signal(SIGSEGV, SIG_IGN);
    prepare();
    raise(SIGSEGV);
    say("came back\n");
    *static_cast<volatile char*>(nullptr) = 1;
    say("came back again\n");
  });
  CHECK(ignored.signal == SIGSEGV);
  CHECK(ignored.output == "came back\n");
  Ended handled = in_child([] {
    handle_with([](int, siginfo_t* info, void* context) {
      _exit(info->si_addr == nullptr && context != nullptr ? 9 : 8);
    });
    prepare();
    *static_cast<volatile char*>(nullptr) = 1;
  });
  CHECK(handled.exit_code == 9);
  pool.give_back(stack);
}

TEST_CASE("a fault is described by its address, and only if it is in a guard") {
  StackPool pool;
  Stack stack = pool.take();
  char text[400];
  auto describe = [&](const void* address) {
    return std::string(text, describe_fault(address, text, sizeof text));
  };
  CHECK_THAT(describe(stack.low - 1), Contains("1 bytes below it"));
  CHECK_THAT(describe(stack.low - 64 * 1024), Contains("65536 bytes below it"));
  CHECK(describe(stack.low).empty());
  CHECK(describe(stack.top - 1).empty());
  CHECK(describe(nullptr).empty());
  CHECK(describe(text).empty());
  CHECK(describe_fault(stack.low - 1, text, 0) == 0);
  CHECK(describe_fault(stack.low - 1, text, 10) == 10);
  CHECK(std::string(text, 10) == "jumpcut: \n");
  pool.give_back(stack);
  std::byte* gone = nullptr;
  {
    StackPool other;
    Stack last = other.take();
    gone = last.low - 1;
    CHECK_FALSE(describe(gone).empty());
    other.give_back(last);
  }
  CHECK(describe(gone).empty());
}

TEST_CASE("many pools come and go while faults are described on other threads") {
  StackPool pool;
  Stack stack = pool.take();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        std::vector<std::unique_ptr<StackPool>> pools;
        for (int n = 0; n < 80; ++n) {
          pools.push_back(std::make_unique<StackPool>(StackPoolOptions{.stack_size = 65536}));
          pools.back()->give_back(pools.back()->take());
        }
      }
    });
  }
  char text[400];
  bool always = true;
  for (int i = 0; i < 2000; ++i) always &= describe_fault(stack.low - 1, text, sizeof text) > 0;
  CHECK(always);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  pool.give_back(stack);
}

TEST_CASE("a thread has an alternate stack that is large enough until it ends") {
  CHECK(alternate_stack_size() >= 64 * 1024);
  for (std::size_t size : {0U, 16U * 1024, 256U * 1024}) {
    if (sanitized && size > 0) continue;  // at a thread's end they unmap whichever is in place
    std::vector<char> memory(size);
    std::thread([&] {
      stack_t own{};
      own.ss_sp = memory.data();
      own.ss_size = size;
      stack_t before{};
      if (size > 0) sigaltstack(&own, &before);
      ensure_alternate_stack();
      stack_t now{};
      sigaltstack(nullptr, &now);
      bool on = (now.ss_flags & SS_DISABLE) == 0 && now.ss_size >= alternate_stack_size();
      CHECK(on);
      bool kept = now.ss_sp == memory.data() && size > 0;
      CHECK(kept == (size >= alternate_stack_size()));
      ensure_alternate_stack();
      stack_t again{};
      sigaltstack(nullptr, &again);
      CHECK(again.ss_sp == now.ss_sp);
      if (kept) sigaltstack(&before, nullptr);
    }).join();
  }
}
