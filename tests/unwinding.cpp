#include "unwinding.hpp"

#include <jumpcut/impl/saved.hpp>

#include <cerrno>
#include <csignal>

#include <execinfo.h>
#include <unwind.h>

namespace unwinding {

namespace {

struct Walk {
  Trace trace;
  Probe* probe;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  Trace& trace = walk.trace;
  if (trace.depth == Trace::most) return _URC_END_OF_STACK;
  int before = 0;
  auto* pc = reinterpret_cast<void*>(_Unwind_GetIPInfo(context, &before));
  if (pc == nullptr) return _URC_END_OF_STACK;  // libgcc shows the end as a frame of its own
  auto* function = reinterpret_cast<void*>(_Unwind_GetRegionStart(context));
  Probe* probe = walk.probe;
  if (probe != nullptr && probe->frame < 0 && function == probe->function) {
    probe->frame = trace.depth;
    for (int i = 0; i < probe->count; ++i) {
      probe->values[i] = _Unwind_GetGR(context, probe->numbers[i]);
    }
  }
  trace.frames[trace.depth++] = {pc, function, _Unwind_GetCFA(context)};
  return _URC_NO_REASON;
}

void (*handlers[65])(int, void*);

void handle(int signal, siginfo_t*, void* ucontext) {
  int saved = errno;
  handlers[signal](signal, ucontext);
  errno = saved;
}

alignas(16) char handler_stack[256 * 1024];

}  // namespace

int Trace::find(const void* function, int from) const {
  for (int i = from; i < depth; ++i) {
    if (frames[i].function == function) return i;
  }
  return -1;
}

[[gnu::noinline]] Trace trace(Probe* probe) {
  Walk walk{{}, probe};
  _Unwind_Backtrace(visit, &walk);
  return walk.trace;
}

void* entry_function() {
#if defined(__x86_64__)
  constexpr std::intptr_t nop = 1;
#else
  constexpr std::intptr_t nop = 4;
#endif
  auto entry = reinterpret_cast<std::intptr_t>(&jumpcut::impl::jumpcut_entry);
  return reinterpret_cast<void*>(entry - nop);
}

void* interrupted(const void* ucontext) {
  const auto& machine = static_cast<const ucontext_t*>(ucontext)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<void*>(machine.gregs[REG_RIP]);
#else
  return reinterpret_cast<void*>(machine.pc);
#endif
}

void warm_up() {
  void* some[4];
  backtrace(some, 4);
  trace();
}

Handler::Handler(int signal, void (*handler)(int, void*)) : signal_(signal) {
  warm_up();
  handlers[signal] = handler;
  stack_t alternate{};
  alternate.ss_sp = handler_stack;
  alternate.ss_size = sizeof handler_stack;
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(signal, &action, nullptr);
}

Handler::~Handler() {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;  // one may still be on its way
  sigaction(signal_, &action, nullptr);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
}

}  // namespace unwinding
