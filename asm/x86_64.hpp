// The switch on x86-64 without a call: asm/x86_64.S explains each step, this file only what
// inlining changes. Meson installs it as <jumpcut/impl/switch.hpp> where it is the chosen form.
//
// Why: a `ret` taken on another stack, and a jump out of a called function, both leave the CPU's
// return predictor out of step; where nothing was called, nothing can be mispredicted
// (lib/decisions/0001-switch-form.md has the numbers).
//
// - The stack pointer does not move until it is swapped, so a leaf function's red zone is safe and
//   the compiler's own CFI stays true up to there, whatever register it is based on.
// - rbp may be what the compiler addresses its frame with, and for clang so may rbx: these travel
//   in the record. All else is declared clobbered: the compiler saves what is live, and only that.
// - It begins at a multiple of 32 bytes, as far as the CPU decodes at once: from one place in the
//   code to another it took 2.3 to 3.1 ns.
// - Registers that only a function attribute brings in (target("avx512f") in a file without
//   -mavx512f) can't be named here: keep nothing in them across a switch.
// - The conditionals below ask for compiler flags, not for a platform: CFI is written only where
//   the compiler writes its own, and registers are named only where they exist.

#pragma once

#include <jumpcut/impl/saved.hpp>

#ifdef __GCC_HAVE_DWARF2_CFI_ASM
// CALLER_IS_RECORD BREG_RSI of x86_64.S, around the instructions between swap and jump.
#define JUMPCUT_CFI_RECORD                                                      \
  ".cfi_remember_state\n\t"                                                     \
  ".cfi_escape 0x0f, 3, 0x74, 0x00, 0x06\n\t"                                   \
  ".cfi_escape 0x10, 16, 2, 0x74, 0x08\n\t"                                     \
  ".cfi_escape 0x10, 6, 2, 0x74, 0x10\n\t"                                      \
  ".cfi_escape 0x10, 3, 2, 0x74, 0x18\n\t"                                      \
  ".cfi_same_value %%r12\n\t.cfi_same_value %%r13\n\t.cfi_same_value %%r14\n\t" \
  ".cfi_same_value %%r15\n\t"
#define JUMPCUT_CFI_RESTORE ".cfi_restore_state\n\t"
#else
#define JUMPCUT_CFI_RECORD
#define JUMPCUT_CFI_RESTORE
#endif

// With GCC rbx is like any other register: one store and one load fewer.
#ifdef __clang__
#define JUMPCUT_STORE_RBX "movq    %%rbx, 0x18(%%rdi)\n\t"
#define JUMPCUT_LOAD_RBX "movq    0x18(%%rsi), %%rbx\n\t"
#define JUMPCUT_CLOBBER_RBX
#else
#define JUMPCUT_STORE_RBX
#define JUMPCUT_LOAD_RBX
#define JUMPCUT_CLOBBER_RBX "rbx",
#endif

#ifdef __AVX512F__
#define JUMPCUT_AVX512_REGISTERS                                                                 \
  , "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", \
      "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",  \
      "xmm31"
#else
#define JUMPCUT_AVX512_REGISTERS
#endif

namespace jumpcut::impl {

/// Parks the caller in `from` and goes on at `to`; there, the message is returned.
[[gnu::always_inline]] inline Switched switch_inlined(Saved& from, Saved& to,
                                                      void* message) noexcept {
  Saved* ours = &from;
  Saved* theirs = &to;
  asm volatile(
      ".p2align 5\n\t"
      "leaq    2f(%%rip), %%rax\n\t"
      "movq    %%rsp, 0x00(%%rdi)\n\t"
      "movq    %%rax, 0x08(%%rdi)\n\t"
      "movq    %%rbp, 0x10(%%rdi)\n\t" JUMPCUT_STORE_RBX
      "stmxcsr 0x20(%%rdi)\n\t"
      "fnstcw  0x24(%%rdi)\n\t"
      "movl    0x20(%%rdi), %%eax\n\t"
      "movzwl  0x24(%%rdi), %%ecx\n\t"
      "xorl    0x20(%%rsi), %%eax\n\t"
      "subw    0x24(%%rsi), %%cx\n\t"
      "andl    $~0x3f, %%eax\n\t"
      "orl     %%ecx, %%eax\n\t"
      "jnz     3f\n"
      "1:\n\t"
      "movq    0x10(%%rsi), %%rbp\n\t" JUMPCUT_CFI_RECORD
      "movq    0x00(%%rsi), %%rsp\n\t"
      "jmp     *0x08(%%rsi)\n\t" JUMPCUT_CFI_RESTORE
      "3:\n\t"
      "fclex\n\t"
      "ldmxcsr 0x20(%%rsi)\n\t"
      "fldcw   0x24(%%rsi)\n\t"
      "jmp     1b\n"
      "2:\n\t"
      "endbr64\n\t" JUMPCUT_LOAD_RBX
      : "+D"(ours), "+S"(theirs), "+d"(message)
      :
      : JUMPCUT_CLOBBER_RBX "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)",
        "st(5)", "st(6)", "st(7)", "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "memory",
        "cc" JUMPCUT_AVX512_REGISTERS);
  return {*theirs, message};  // rsi: who switches here has the record there
}

}  // namespace jumpcut::impl

#undef JUMPCUT_CFI_RECORD
#undef JUMPCUT_CFI_RESTORE
#undef JUMPCUT_STORE_RBX
#undef JUMPCUT_LOAD_RBX
#undef JUMPCUT_CLOBBER_RBX
#undef JUMPCUT_AVX512_REGISTERS
