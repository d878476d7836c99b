// void registers_call(Registers* in /*x0*/, Registers* out /*x1*/, void* first /*x2*/,
//                     void* second /*x3*/, void* function /*x4*/)
// registers.hpp has the layout of Registers.

#include "../asm/asm.h"

.macro EACH_PAIR operation, base, offset
        \operation x19, x20, [\base, #\offset + 0x00]
        \operation x21, x22, [\base, #\offset + 0x10]
        \operation x23, x24, [\base, #\offset + 0x20]
        \operation x25, x26, [\base, #\offset + 0x30]
        \operation x27, x28, [\base, #\offset + 0x40]
        \operation d8, d9, [\base, #\offset + 0x58]
        \operation d10, d11, [\base, #\offset + 0x68]
        \operation d12, d13, [\base, #\offset + 0x78]
        \operation d14, d15, [\base, #\offset + 0x88]
.endm

FUNCTION registers_call
        hint    #34
        stp     x29, x30, [sp, #-0xd0]!
        .cfi_adjust_cfa_offset 0xd0
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        EACH_PAIR stp, sp, 0x10
        .irp    r, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
        .cfi_rel_offset x\r, 0x10 + (\r - 19) * 8
        .endr
        .irp    r, 8, 9, 10, 11, 12, 13, 14, 15
        .cfi_rel_offset d\r, 0x68 + (\r - 8) * 8
        .endr
        mrs     x9, fpcr
        stp     x1, x9, [sp, #0xb0]
        mov     x9, sp
        str     x9, [x0, #0xa0]

        ldr     x9, [x0, #0x98]
        msr     fpcr, x9
        EACH_PAIR ldp, x0, 0
        ldr     x29, [x0, #0x50]
        mov     x9, x0
        mov     x0, x2
        mov     x1, x3
        ldr     x2, [x9, #0xa8]
        blr     x4

        ldr     x9, [sp, #0xb0]
        str     x0, [x9, #0xa8]
        EACH_PAIR stp, x9, 0
        str     x29, [x9, #0x50]
        mrs     x10, fpcr
        str     x10, [x9, #0x98]
        mov     x10, sp
        str     x10, [x9, #0xa0]

        ldr     x10, [sp, #0xb8]
        msr     fpcr, x10
        EACH_PAIR ldp, sp, 0x10
        ldp     x29, x30, [sp], #0xd0
        .cfi_adjust_cfa_offset -0xd0
        .irp    r, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        .cfi_restore x\r
        .endr
        .irp    r, 8, 9, 10, 11, 12, 13, 14, 15
        .cfi_restore d\r
        .endr
        ret
END registers_call

        NO_EXECUTABLE_STACK
        PROPERTY 0xc0000000, 0x1
