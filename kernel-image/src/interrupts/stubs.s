# Interrupt entry. Every vector runs on a stack of its own (IST), so no interrupted code's red zone is touched.
# A stub pushes an error code if the processor has not, and its vector; the common part saves the registers
# (`Frame` in mod.rs) and the SSE state, and calls `interrupt_dispatch` with the frame's address.

.text
.altmacro

.macro stub vector
    .align 16
stub_\vector:
    .if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    push 0
    .endif
    push \vector
    jmp interrupt_common
.endm

.macro stub_address vector
    .quad stub_\vector
.endm

.set number, 0
.rept 256
    stub %number
    .set number, number + 1
.endr

interrupt_common:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    sub rsp, 512
    fxsave64 [rsp]
    lea rdi, [rsp + 512]
    cld
    call interrupt_dispatch
    fxrstor64 [rsp]
    add rsp, 512
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq

.section .rodata
.align 8
.global interrupt_stubs
interrupt_stubs:
.set number, 0
.rept 256
    stub_address %number
    .set number, number + 1
.endr

.text
.noaltmacro
