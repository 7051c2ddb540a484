# The smallest guest: prints one byte on COM1 and powers off. The floor for "QEMU start to first
# instruction". PVH entry (XEN_ELFNOTE_PHYS32_ENTRY), 32-bit protected mode.
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .align 4
    .long _start

    .text
    .code32
    .globl _start
_start:
    movw $0x3f8, %dx
    movb $'E', %al
    outb %al, %dx
    movw $0x604, %dx
    movw $0x2000, %ax
    outw %ax, %dx
1:  hlt
    jmp 1b
