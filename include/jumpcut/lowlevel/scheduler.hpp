#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/job.hpp>
#include <jumpcut/impl/memory.hpp>
#include <jumpcut/lowlevel/fiber.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut::impl {

struct SchedulerDoor;

}  // namespace jumpcut::impl

namespace jumpcut::lowlevel {

struct SchedulerOptions {
  /// The stacks that fibers get; spawn() may ask for another size.
  StackPoolOptions stacks = {};
  /// A stack overflow ends with a message that names the fiber (overflow.hpp).
  bool name_overflows = true;
  /// It is the thread's as long as it exists. A Loop's is only while it runs.
  bool attached = true;
};

struct SpawnOptions {
  /// Shown in messages and debuggers; copied.
  std::string_view name = {};
  /// Bytes of stack; 0 for the scheduler's usual size. Rounded up to a power of two.
  std::size_t stack_size = 0;
};

/// Runs fibers on one thread, each until it parks, in the order in which they became ready. The
/// Loop is built on it; by itself it is for those who bring their own loop.
///
/// Belongs to the thread that makes it, which may have one at a time.
class JUMPCUT_API Scheduler : private impl::Core {
 public:
  /// Throws ValueError for stack options that can't be met, RuntimeError if the thread has a
  /// scheduler already.
  explicit Scheduler(SchedulerOptions options = {});
  /// Fibers that are still parked are named on standard error and left as they are, their stacks
  /// with them: nothing is unwound by force. Jobs that never started are destroyed.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// This thread's. Throws RuntimeError if there is none.
  static Scheduler& current() {
    if (impl::this_core == nullptr) [[unlikely]]
      impl::throw_no_scheduler();
    return *static_cast<Scheduler*>(impl::this_core);
  }

  /// Makes function() ready to run on a fiber, behind all that is ready now. It takes its stack
  /// when its turn comes. If it ends with an exception, the program ends, with the fiber's name.
  /// Throws ValueError for a stack size that can't be had, std::bad_alloc without memory.
  template <class Function>
  void spawn(Function&& function, const SpawnOptions& options = {});

  /// Calls function() on the hub, the thread's own stack, in its turn among all that is ready. What
  /// it throws comes out of run().
  template <class Function>
  void call_soon(Function&& function);

  /// Returns once nothing is ready: the number of fibers that are left parked, 0 if all is done.
  /// Throws RuntimeError inside itself or on another thread, ResourceError if a fiber's turn comes
  /// and it can't get a stack; call it again then, nothing is lost.
  std::size_t run();
  /// One tick: runs what is ready now, but not what that makes ready.
  void run_tick();

  bool is_idle() const noexcept { return ready.empty(); }
  std::size_t ready_count() const noexcept { return ready.size(); }
  /// Fibers and jobs that are not done.
  std::size_t alive_count() const noexcept { return alive_; }
  std::uint64_t tick_count() const noexcept { return ticks; }

  /// Calls function(fiber) for each fiber that has a stack; it must not park.
  template <class Function>
  void for_each_fiber(Function&& function) {
    for (Fiber* fiber = fibers_; fiber != nullptr; fiber = fiber->next_) {
      if (fiber->job_ != nullptr) function(*fiber);
    }
  }

  /// The pool of the usual stacks.
  StackPool& stacks() noexcept { return *pools_.front(); }

 private:
  friend class lowlevel::Fiber;
  friend struct impl::Core;
  friend struct impl::SchedulerList;
  friend struct impl::SchedulerDoor;

  static constexpr std::uint32_t single_tick = 1;  // of `attention`

  template <class Base, class Function>
  class Owned;
  template <class Base, class Function>
  auto& make(const char* call, Function&& function);

  class Running;

  void equip(impl::Job& job, const SpawnOptions& options);
  void reserve_for(impl::Job& job);
  void submit(impl::Job& job) {
    if (!ready.try_reserve()) [[unlikely]]
      reserve_for(job);
    ++alive_;
    ready.push(impl::Entry(job));
  }
  void admit(impl::Callback& callback);
  StackPool& pool_of(std::size_t stack_size);

  void check_can_run(const char* call) const;
  void turn();
  void while_running(void (*function)(void*), void* argument);
  void open_tick() noexcept;
  void step();
  void run_fiber(Fiber& first) noexcept;
  void run_aside(Fiber& first) noexcept;

  Fiber& begin(impl::Job& job);
  Fiber* begin_or_end(impl::Job& job);
  Fiber& begin_apart(impl::Job& job);
  void end_withdrawn(impl::Job& job) noexcept;
  Fiber& make_fiber(impl::Job& job);
  void link(Fiber& fiber) noexcept;
  void unlink(Fiber& fiber) noexcept;
  static void fiber_main(void* fiber, void* message);
  void run_job(Fiber& fiber) noexcept;
  bool next_job(Fiber& fiber) noexcept;
  bool wait_for_job(Fiber& fiber) noexcept;
  void go_back(Fiber& fiber) noexcept;
  void drop_spare() noexcept;
  [[noreturn]] void leave(Fiber& done, Fiber& to) noexcept;
  static void give_back(void* fiber) noexcept;

  impl::Memory memory_;
  std::size_t alive_ = 0;
  std::uint64_t jobs_ = 0;  // numbers them
  StackPool* usual_pool_ = nullptr;
  Fiber* spare_ = nullptr;   // has ended its job and waits for another
  Fiber* fibers_ = nullptr;  // all that have a stack
  bool reuse_ = true;        // a stack may go to the next job as it is
  bool is_running_ = false;
  bool names_abandoned_ = true;
  std::vector<std::unique_ptr<StackPool>> pools_;  // the usual one first
  SchedulerOptions options_;
  Scheduler* next_scheduler_ = nullptr;  // see lib/fiber/scheduler_list.hpp
};

/// A function that is kept in the scheduler's memory until it has run.
template <class Base, class Function>
class Scheduler::Owned final : public Base {
 public:
  template <class F>
  Owned(impl::Memory& memory, F&& function)
      : memory_(memory), function_(std::forward<F>(function)) {}

  void run() override { function_(); }
  void dispose() noexcept override {
    impl::Memory& memory = memory_;
    if constexpr (std::is_same_v<Base, impl::Job>) {
      if (this->name != nullptr) memory.give_back(this->name, std::strlen(this->name) + 1);
    }
    this->~Owned();
    memory.give_back(this, sizeof *this);
  }

 private:
  impl::Memory& memory_;
  Function function_;
};

template <class Base, class Function>
auto& Scheduler::make(const char* call, Function&& function) {
  using Kept = Owned<Base, std::decay_t<Function>>;
  static_assert(alignof(Kept) <= alignof(std::max_align_t), "an over-aligned function object");
  impl::refuse_null(function, call);
  void* memory = memory_.take(sizeof(Kept));
  try {
    return *new (memory) Kept(memory_, std::forward<Function>(function));
  } catch (...) {
    memory_.give_back(memory, sizeof(Kept));
    throw;
  }
}

template <class Function>
void Scheduler::spawn(Function&& function, const SpawnOptions& options) {
  impl::Job& job = make<impl::Job>("spawn", std::forward<Function>(function));
  job.number = ++jobs_;
  job.pool = usual_pool_;
  if (!options.name.empty() || options.stack_size != 0) equip(job, options);
  submit(job);
}

template <class Function>
void Scheduler::call_soon(Function&& function) {
  admit(make<impl::Callback>("call_soon", std::forward<Function>(function)));
}

}  // namespace jumpcut::lowlevel

namespace jumpcut::impl {

/// What the layers above may do with a Scheduler that nobody else may.
struct SchedulerDoor {
  using Scheduler = lowlevel::Scheduler;

  static Scheduler& of(Core& core) noexcept { return *static_cast<Scheduler*>(&core); }
  static Core& core(Scheduler& scheduler) noexcept { return scheduler; }
  static lowlevel::StackPool* usual_pool(Core& core) noexcept { return of(core).usual_pool_; }
  static lowlevel::StackPool& pool_of(Core& core, std::size_t size) {
    return of(core).pool_of(size);
  }
  /// Makes the job ready. Disposes of it and throws std::bad_alloc without memory.
  [[gnu::always_inline]] static void submit(Core& core, Job& job) { of(core).submit(job); }
  /// Runs the job at once, on a fiber, until it first parks; from a fiber or on the hub.
  JUMPCUT_API static void begin_now(Core& core, Job& job);
  /// A fiber for the job, to be switched to by whoever asks.
  static lowlevel::Fiber& make_fiber(Core& core, Job& job) { return of(core).begin_apart(job); }
  /// Switches to it; goes on when that one calls go_back(), or its job has ended.
  [[gnu::always_inline]] static void visit(Core& core, lowlevel::Fiber& fiber) noexcept {
    fiber.return_to_ = core.running;
    core.transfer<switch_inlined>(*core.running, fiber);
  }
  /// From the running fiber to the one that visits it; goes on with the next visit.
  [[gnu::always_inline]] static void go_back(Core& core) noexcept {
    lowlevel::Fiber& fiber = *core.running;
    core.transfer<switch_inlined>(fiber, *fiber.return_to_);
  }
  /// The same as visit(), for who must see the job end: by way of the hub, where a fiber runs
  /// aside.
  JUMPCUT_API static void visit_aside(Core& core, lowlevel::Fiber& fiber);
  /// function(argument) on the hub of this thread; turn() runs what is ready.
  static void while_running(Scheduler& scheduler, void (*function)(void*), void* argument) {
    scheduler.while_running(function, argument);
  }
  static void turn(Scheduler& scheduler) { scheduler.turn(); }
  /// Who is parked for ever was named already.
  static void name_no_abandoned(Scheduler& scheduler) noexcept {
    scheduler.names_abandoned_ = false;
  }
  static bool is_running(const Scheduler& scheduler) noexcept { return scheduler.is_running_; }
};

}  // namespace jumpcut::impl

namespace jumpcut::lowlevel {

/// Scheduler::current().spawn().
template <class Function>
void spawn(Function&& function, const SpawnOptions& options = {}) {
  Scheduler::current().spawn(std::forward<Function>(function), options);
}

}  // namespace jumpcut::lowlevel
