// Switching stacks on AArch64, AAPCS64. The steps, the record and the reasons are those of
// asm/x86_64.S; comments here say only what differs:
//
// - fp is x29, base is x19, control is fpcr (64 bits); there is no red zone.
// - d8-d15 belong to the caller as well. x18 belongs to the platform and is never touched.
// - Indirect jumps go through x16: every landing pad accepts that, `bti j` any other as well. The
//   last step back to the C++ caller is a `ret` all the same: there is no landing pad after a call.
// - Return addresses are kept as the callers signed them; nothing here signs or strips one.
//
// A parked called form, from sp up:
//
//      +0x00  x20 x21      +0x20  x24 x25      +0x40  x28 x30      +0x60  d10 d11
//      +0x10  x22 x23      +0x30  x26 x27      +0x50  d8  d9       +0x70  d12 d13     +0x80  d14 d15
//
// and a context that never ran:
//
//      +0x00  the argument         +0x08  nothing; the stack ends here

#include "asm.h"

#define x18 do_not_use_x18

.macro SAVE a, b, offset
        stp     \a, \b, [sp, #\offset]
        .cfi_rel_offset \a, \offset
        .cfi_rel_offset \b, \offset + 8
.endm

.macro LOAD a, b, offset
        ldp     \a, \b, [sp, #\offset]
        .cfi_restore \a
        .cfi_restore \b
.endm

// `breg` is DW_OP_breg0 plus the DWARF number: x1 0x71, x19 0x83.
.macro CALLER_IS_RECORD breg
        .cfi_escape 0x0f, 3, \breg, JC_SP, 0x06
        .cfi_escape 0x10, 30, 2, \breg, JC_PC
        .cfi_escape 0x10, 29, 2, \breg, JC_FP
        .cfi_escape 0x10, 19, 2, \breg, JC_BASE
        .irp    r, x20, x21, x22, x23, x24, x25, x26, x27, x28, d8, d9, d10, d11, d12, d13, d14, d15
        .cfi_same_value \r
        .endr
.endm
#define BREG_X1 0x71
#define BREG_X19 0x83

.macro GO_ON
        ldp     x29, x19, [x1, #JC_FP]
        CALLER_IS_RECORD BREG_X1
        ldp     x10, x16, [x1, #JC_SP]
        mov     sp, x10
        br      x16
.endm

// void* jumpcut_switch(Saved* from /*x0*/, Saved* to /*x1*/, void* message /*x2*/)
FUNCTION jumpcut_switch
        hint    #34                     // bti c
        sub     sp, sp, #0x90
        .cfi_adjust_cfa_offset 0x90
        SAVE    x20, x21, 0x00
        SAVE    x22, x23, 0x10
        SAVE    x24, x25, 0x20
        SAVE    x26, x27, 0x30
        SAVE    x28, x30, 0x40
        SAVE    d8, d9, 0x50
        SAVE    d10, d11, 0x60
        SAVE    d12, d13, 0x70
        SAVE    d14, d15, 0x80

        mov     x10, sp
        adr     x9, 2f
        stp     x10, x9, [x0, #JC_SP]
        stp     x29, x19, [x0, #JC_FP]
        mrs     x11, fpcr
        str     x11, [x0, #JC_CONTROL]
        ldr     x12, [x1, #JC_CONTROL]
        cmp     x11, x12
        b.ne    3f
1:      .cfi_remember_state
        GO_ON
        .cfi_restore_state

3:      msr     fpcr, x12
        b       1b

2:      hint    #36                     // bti j
        LOAD    d14, d15, 0x80
        LOAD    d12, d13, 0x70
        LOAD    d10, d11, 0x60
        LOAD    d8, d9, 0x50
        LOAD    x28, x30, 0x40
        LOAD    x26, x27, 0x30
        LOAD    x24, x25, 0x20
        LOAD    x22, x23, 0x10
        LOAD    x20, x21, 0x00
        add     sp, sp, #0x90
        .cfi_adjust_cfa_offset -0x90
        mov     x0, x2
        ret
END jumpcut_switch

// [[noreturn]] void jumpcut_leave(Saved* to /*x0*/, void* message /*x1*/,
//                                 void (*function)(void*) /*x2*/, void* argument /*x3*/)
FUNCTION jumpcut_leave, hidden
        hint    #34
        mov     x19, x0
        CALLER_IS_RECORD BREG_X19
        mov     x20, x1
        ldr     x29, [x19, #JC_FP]
        ldr     x10, [x19, #JC_SP]
        mov     sp, x10
        mov     x0, x3
        blr     x2

        mov     x1, x19
        mov     x2, x20
        mrs     x11, fpcr
        ldr     x12, [x1, #JC_CONTROL]
        cmp     x11, x12
        b.ne    3f
1:      GO_ON
3:      msr     fpcr, x12
        b       1b
END jumpcut_leave

// void jumpcut_on_top(Saved* parked /*x0*/, void (*function)(void*) /*x1*/, void* argument /*x2*/)
FUNCTION jumpcut_on_top, hidden
        hint    #34
        sub     sp, sp, #0x20
        .cfi_adjust_cfa_offset 0x20
        SAVE    x29, x30, 0x00
        SAVE    x19, x20, 0x10
        mov     x19, x0
        mov     x20, sp
        .cfi_remember_state
        CALLER_IS_RECORD BREG_X19
        ldr     x29, [x19, #JC_FP]
        ldr     x10, [x19, #JC_SP]
        mov     sp, x10
        mov     x0, x2
        blr     x1
        mov     sp, x20
        .cfi_restore_state
        LOAD    x19, x20, 0x10
        LOAD    x29, x30, 0x00
        add     sp, sp, #0x20
        .cfi_adjust_cfa_offset -0x20
        ret
END jumpcut_on_top

// uint64_t jumpcut_control(void)
FUNCTION jumpcut_control, hidden
        hint    #34
        mrs     x0, fpcr
        ret
END jumpcut_control

// void jumpcut_set_control(const Saved* like /*x0*/)
FUNCTION jumpcut_set_control, hidden
        hint    #34
        ldr     x0, [x0, #JC_CONTROL]
        mrs     x1, fpcr
        cmp     x0, x1
        b.eq    1f
        msr     fpcr, x0
1:      ret
END jumpcut_set_control

// base(argument, message)
        .p2align 4
        .globl  jumpcut_entry
        .hidden jumpcut_entry
        .type   jumpcut_entry, %function
        .cfi_startproc
        .cfi_undefined x30
        nop
jumpcut_entry:
        hint    #36
        ldr     x0, [sp], #16
        .cfi_adjust_cfa_offset -16
        mov     x1, x2
        blr     x19
        bl      jumpcut_entry_returned
END jumpcut_entry

        NO_EXECUTABLE_STACK
        PROPERTY 0xc0000000, 0x1        // GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI; not PAC, not GCS
