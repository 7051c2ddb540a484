# The way from the loader to Rust. A PVH loader enters `pvh_start` in 32-bit protected mode without
# paging, with the address of its start info in ebx. Here: a first page table that maps the first
# 4 GiB three times (at 0; at the direct map; its first GiB at the kernel's link address), long mode, a stack.
# Rust then builds the real page table and never comes back.

.section .note.pvh, "a", @note
.align 4
    .long 4                 # length of the name
    .long 8                 # length of the descriptor
    .long 18                # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start

.section .start, "awx", @progbits
.code32
.global pvh_start
pvh_start:
    cli
    cld
    mov ebp, ebx

    mov eax, offset start_pdpt_low + 3
    mov dword ptr [start_pml4], eax
    mov dword ptr [start_pml4 + 256 * 8], eax
    mov dword ptr [start_pml4 + 511 * 8], offset start_pdpt_high + 3
    mov dword ptr [start_pdpt_low + 0], offset start_pd + 3
    mov dword ptr [start_pdpt_low + 8], offset start_pd + 0x1003
    mov dword ptr [start_pdpt_low + 16], offset start_pd + 0x2003
    mov dword ptr [start_pdpt_low + 24], offset start_pd + 0x3003
    mov dword ptr [start_pdpt_high + 510 * 8], offset start_pd + 3

    mov edi, offset start_pd
    mov eax, 0x83           # present, writable, 2 MiB
    mov ecx, 2048
2:  mov dword ptr [edi], eax
    mov dword ptr [edi + 4], 0
    add edi, 8
    add eax, 0x200000
    loop 2b

    mov eax, cr4
    or eax, 0x620           # PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, offset start_pml4
    mov cr3, eax
    mov ecx, 0xc0000080     # EFER
    rdmsr
    or eax, 0x900           # long mode, no-execute
    wrmsr
    mov eax, cr0
    and eax, 0xfffffff3     # not EM, not TS
    or eax, 0x80010003      # paging, write protection, MP
    mov cr0, eax
    lgdt [start_gdt_pointer]
    ljmp 8, offset start_64

.code64
start_64:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov edi, ebp
    movabs rsp, offset start_stack_top
    xor ebp, ebp
    movabs rax, offset start_rust
    call rax
    ud2

.align 8
start_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
start_gdt_pointer:
    .word 15
    .long start_gdt

.section .start_tables, "aw", @nobits
.align 4096
start_pml4: .skip 4096
start_pdpt_low: .skip 4096
start_pdpt_high: .skip 4096
start_pd: .skip 4 * 4096

.section .bss.start_stack, "aw", @nobits
.align 16
.skip 65536
start_stack_top:

.text
