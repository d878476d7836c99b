// void registers_call(Registers* in /*rdi*/, Registers* out /*rsi*/, void* first /*rdx*/,
//                     void* second /*rcx*/, void* function /*r8*/)
// registers.hpp has the layout of Registers.

#include "../asm/asm.h"

FUNCTION registers_call
        endbr64
        .irp    r, rbx, rbp, r12, r13, r14, r15
        pushq   %\r
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %\r, 0
        .endr
        subq    $24, %rsp
        .cfi_adjust_cfa_offset 24
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsi, 8(%rsp)
        movq    %rsp, 0x38(%rdi)

        fnclex                          // no flag of somebody's past may trap under new masks
        ldmxcsr 0x30(%rdi)
        fldcw   0x34(%rdi)
        movq    %rdi, %rax
        movq    %rdx, %rdi
        movq    %rcx, %rsi
        movq    0x40(%rax), %rdx
        movq    0x00(%rax), %rbx
        movq    0x08(%rax), %rbp
        movq    0x10(%rax), %r12
        movq    0x18(%rax), %r13
        movq    0x20(%rax), %r14
        movq    0x28(%rax), %r15
        call    *%r8

        movq    8(%rsp), %rsi
        movq    %rax, 0x40(%rsi)
        movq    %rbx, 0x00(%rsi)
        movq    %rbp, 0x08(%rsi)
        movq    %r12, 0x10(%rsi)
        movq    %r13, 0x18(%rsi)
        movq    %r14, 0x20(%rsi)
        movq    %r15, 0x28(%rsi)
        stmxcsr 0x30(%rsi)
        fnstcw  0x34(%rsi)
        movq    %rsp, 0x38(%rsi)
        pushfq
        .cfi_adjust_cfa_offset 8
        popq    0x48(%rsi)
        .cfi_adjust_cfa_offset -8
        cld

        fnclex
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $24, %rsp
        .cfi_adjust_cfa_offset -24
        .irp    r, r15, r14, r13, r12, rbp, rbx
        popq    %\r
        .cfi_adjust_cfa_offset -8
        .cfi_restore %\r
        .endr
        ret
END registers_call

        NO_EXECUTABLE_STACK
        PROPERTY 0xc0000002, 0x1
