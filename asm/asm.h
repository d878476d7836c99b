// The macros of every assembly file here, and the layout of a parked context.
// include/jumpcut/impl/saved.hpp is the same layout for C++, and asserts each offset.

#define JC_SP 0x00       /* the stack pointer                                */
#define JC_PC 0x08       /* where to go on                                   */
#define JC_FP 0x10       /* the frame pointer: rbp, x29                      */
#define JC_BASE 0x18     /* the register compilers address frames with: rbx, x19 */
#define JC_CONTROL 0x20  /* how floating point rounds: mxcsr and x87 cw, fpcr */

// A global function: aligned, with its size and its CFI; `hidden` from users of the shared library.
.macro FUNCTION name, visibility
        .text
        .p2align 4
        .globl  \name
        .ifc    \visibility, hidden
        .hidden \name
        .endif
        .type   \name, %function
        .cfi_startproc
\name:
.endm

.macro END name
        .cfi_endproc
        .size   \name, . - \name
.endm

// Nothing here needs an executable stack.
.macro NO_EXECUTABLE_STACK
        .section .note.GNU-stack, "", %progbits
.endm

// The GNU property note: one 4-byte property `type` with `bits`.
.macro PROPERTY type, bits
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4               // length of the name
        .long   16              // length of the properties
        .long   5               // NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   \type
        .long   4               // length of the value
        .long   \bits
        .long   0               // to a multiple of 8
.endm
