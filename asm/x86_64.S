// Switching stacks on x86-64, System V ABI. asm/aarch64.S comments only what differs from here.
//
// A parked context is a record of five words, and the record is all that a switch needs to know:
//
//      +0x00  sp       its stack pointer
//      +0x08  pc       where to go on; whoever parked chose the address and knows what is on the stack
//      +0x10  fp       rbp; the compiler may address its frame with it, so the switch loads it first
//      +0x18  base     for the code at `pc` alone: rbx, where that was not kept on the stack
//      +0x20  control  mxcsr (4 bytes), x87 control word (2 bytes), nothing (2 bytes)
//
// The code at `pc` is given its own record in rsi, and the message in rdx.
//
// asm.h names the offsets, include/jumpcut/impl/saved.hpp mirrors them for C++, and
// asm/x86_64.hpp is the same switch without the call. All forms of the switch mix freely: what
// lies on a parked stack concerns only the code at `pc`.
//
// A parked called form looks like this, from sp up:
//
//      +0x00  r15          +0x10  r13          +0x20  rbx
//      +0x08  r14          +0x18  r12          +0x28  the caller's next instruction
//
// and a context that never ran, whose pc is jumpcut_entry and whose base is the entry function:
//
//      +0x00  the argument         +0x08  nothing; the stack ends here
//
// Left alone on purpose: the signal mask (it costs a system call), the status bits of mxcsr (any
// call may change them), errno and the exception state (lib/fiber keeps them), and every register
// that a caller expects to lose.

#include "asm.h"

.macro PUSH reg
        pushq   \reg
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \reg, 0
.endm

.macro POP reg
        popq    \reg
        .cfi_adjust_cfa_offset -8
        .cfi_restore \reg
.endm

// From here on the frame below us is the one that `record` describes, whatever the registers hold
// at the moment: an unwinder reads the stack pointer (the CFA), the return address, rbp and rbx
// out of the record. (A stale rbx does no harm: then the parked frame has it on the stack.) `breg` is DW_OP_breg0 plus the DWARF number of the register that holds it.
// 0x0f DW_CFA_def_cfa_expression, 0x10 DW_CFA_expression, 0x06 DW_OP_deref.
.macro CALLER_IS_RECORD breg
        .cfi_escape 0x0f, 3, \breg, JC_SP, 0x06
        .cfi_escape 0x10, 16, 2, \breg, JC_PC
        .cfi_escape 0x10, 6, 2, \breg, JC_FP
        .cfi_escape 0x10, 3, 2, \breg, JC_BASE
        .cfi_same_value %r12
        .cfi_same_value %r13
        .cfi_same_value %r14
        .cfi_same_value %r15
.endm
#define BREG_RBX 0x73
#define BREG_RSI 0x74

// Goes on at the record in rsi. Until the jump, a signal's backtrace shows the other stack.
.macro GO_ON
        movq    JC_FP(%rsi), %rbp
        CALLER_IS_RECORD BREG_RSI
        movq    JC_SP(%rsi), %rsp
        jmp     *JC_PC(%rsi)
.endm

// Jumps to `unlike` if the control words at `now` differ from those at `wanted`; loses eax and ecx.
// The low six bits of mxcsr are status. Two loads, each as wide as its store (one wide load would
// wait for both), and one branch.
// LOAD_CONTROL is what `unlike` does, and rare: both words, whichever differs. The x87 flags are
// nobody's and go: left standing, one context's old division by zero would trap in another that
// asks for traps. `fclex` waits first, so that what a context did itself is trapped while it runs.
.macro IF_CONTROL_UNLIKE now, wanted, unlike
        movl    JC_CONTROL(\now), %eax
        movzwl  JC_CONTROL+4(\now), %ecx
        xorl    JC_CONTROL(\wanted), %eax
        subw    JC_CONTROL+4(\wanted), %cx
        andl    $~0x3f, %eax
        orl     %ecx, %eax
        jnz     \unlike
.endm

.macro LOAD_CONTROL wanted
        fclex
        ldmxcsr JC_CONTROL(\wanted)
        fldcw   JC_CONTROL+4(\wanted)
.endm

// void* jumpcut_switch(Saved* from /*rdi*/, Saved* to /*rsi*/, void* message /*rdx*/)
// Parks the caller in *from and goes on at *to; there, jumpcut_switch returns the message.
FUNCTION jumpcut_switch
        endbr64
        PUSH    %rbx
        PUSH    %r12
        PUSH    %r13
        PUSH    %r14
        PUSH    %r15

        leaq    2f(%rip), %rax
        movq    %rsp, JC_SP(%rdi)
        movq    %rax, JC_PC(%rdi)
        movq    %rbp, JC_FP(%rdi)
        stmxcsr JC_CONTROL(%rdi)
        fnstcw  JC_CONTROL+4(%rdi)
        IF_CONTROL_UNLIKE %rdi, %rsi, 3f
1:      .cfi_remember_state
        GO_ON
        .cfi_restore_state

3:      LOAD_CONTROL %rsi
        jmp     1b

2:      endbr64                         // parked until here
        POP     %r15
        POP     %r14
        POP     %r13
        POP     %r12
        POP     %rbx
        movq    %rdx, %rax
        popq    %rcx                    // not `ret`: the CPU would predict the caller of the
        .cfi_adjust_cfa_offset -8       // context we left, not ours
        .cfi_register %rip, %rcx
        notrack jmp *%rcx               // a return: there is no endbr64 after a call
END jumpcut_switch

// [[noreturn]] void jumpcut_leave(Saved* to /*rdi*/, void* message /*rsi*/,
//                                 void (*function)(void*) /*rdx*/, void* argument /*rcx*/)
// Leaves the running stack for good. On top of *to it calls function(argument), which may do
// away with the stack that was left, and then goes on at *to. 128 bytes of *to are stepped over:
// a compiler may keep data there (the red zone).
FUNCTION jumpcut_leave, hidden
        endbr64
        movq    %rdi, %rbx
        CALLER_IS_RECORD BREG_RBX
        movq    %rsi, %r12
        movq    JC_SP(%rbx), %rsp
        movq    JC_FP(%rbx), %rbp       // not before: a load after it makes Valgrind see the switch
        subq    $128 + 16, %rsp
        andq    $-16, %rsp
        movq    %rcx, %rdi
        call    *%rdx

        movq    %rbx, %rsi              // rbx holds it too, as the CFI says, until GO_ON
        movq    %r12, %rdx
        leaq    -JC_CONTROL(%rsp), %rdi
        stmxcsr JC_CONTROL(%rdi)        // into the 16 bytes that were left free
        fnstcw  JC_CONTROL+4(%rdi)
        IF_CONTROL_UNLIKE %rdi, %rsi, 3f
1:      GO_ON
3:      LOAD_CONTROL %rsi
        jmp     1b
END jumpcut_leave

// void jumpcut_on_top(Saved* parked /*rdi*/, void (*function)(void*) /*rsi*/, void* argument /*rdx*/)
// Calls function(argument) on the stack of *parked, as if the parked code had called it, and comes
// back. A backtrace taken by the function shows the parked frames. It must not throw, nor switch.
FUNCTION jumpcut_on_top, hidden
        endbr64
        PUSH    %rbp
        PUSH    %rbx
        PUSH    %r12
        movq    %rdi, %rbx
        movq    %rsp, %r12
        .cfi_remember_state
        CALLER_IS_RECORD BREG_RBX
        movq    JC_SP(%rbx), %rsp
        movq    JC_FP(%rbx), %rbp       // see jumpcut_leave
        subq    $128, %rsp
        andq    $-16, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %r12, %rsp
        .cfi_restore_state
        POP     %r12
        POP     %rbx
        POP     %rbp
        ret                             // this one returns to its own caller, so `ret` predicts well
END jumpcut_on_top

// uint64_t jumpcut_control(void)
// The control words that are in force.
FUNCTION jumpcut_control, hidden
        endbr64
        movq    $0, -8(%rsp)            // the red zone
        stmxcsr -8(%rsp)
        fnstcw  -4(%rsp)
        movl    -4(%rsp), %eax          // not one load: it would wait for both stores
        shlq    $32, %rax
        movl    -8(%rsp), %ecx
        orq     %rcx, %rax
        ret
END jumpcut_control

// void jumpcut_set_control(const Saved* like /*rdi*/)
// Puts those of a parked context in force; costs little if they are already.
FUNCTION jumpcut_set_control, hidden
        endbr64
        leaq    -8-JC_CONTROL(%rsp), %rsi
        stmxcsr JC_CONTROL(%rsi)
        fnstcw  JC_CONTROL+4(%rsi)
        IF_CONTROL_UNLIKE %rsi, %rdi, 3f
        ret
3:      LOAD_CONTROL %rdi
        ret
END jumpcut_set_control

// The first instructions a context runs: calls base(argument, message). Not by FUNCTION, because
// its own address is a return address and needs the nop inside its CFI.
        .p2align 4
        .globl  jumpcut_entry
        .hidden jumpcut_entry
        .type   jumpcut_entry, %function
        .cfi_startproc
        .cfi_undefined %rip             // nobody called us: backtraces end here
        nop
jumpcut_entry:
        endbr64
        movq    (%rsp), %rdi            // read, not popped: the stack is aligned as it is
        movq    JC_BASE(%rsi), %rax
        movq    %rdx, %rsi
        call    *%rax
        call    jumpcut_entry_returned  // says so and aborts
END jumpcut_entry

        NO_EXECUTABLE_STACK
        PROPERTY 0xc0000002, 0x1        // GNU_PROPERTY_X86_FEATURE_1_AND: IBT; not SHSTK, see README.md
