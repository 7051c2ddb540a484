# What compiled code expects of a C library. 16-byte moves: an emulated processor runs string
# instructions byte by byte. Written in assembly so that no compiler turns them into calls of themselves.

.text
.global memcpy, memmove, memset, memcmp, bcmp, strlen
.global rust_eh_personality, _Unwind_Resume

# Named by precompiled code, never called: panics abort.
rust_eh_personality:
_Unwind_Resume:
    ud2

memmove:
    mov rax, rdi
    sub rax, rsi
    cmp rax, rdx
    jb 7f                   # the target starts inside the source: from the end
memcpy:
    mov rax, rdi
    cmp rdx, 64
    jb 3f
2:  movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + 32]
    movups xmm3, [rsi + 48]
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + 32], xmm2
    movups [rdi + 48], xmm3
    add rsi, 64
    add rdi, 64
    sub rdx, 64
    cmp rdx, 64
    jae 2b
3:  cmp rdx, 8
    jb 5f
4:  mov rcx, [rsi]
    mov [rdi], rcx
    add rsi, 8
    add rdi, 8
    sub rdx, 8
    cmp rdx, 8
    jae 4b
5:  test rdx, rdx
    jz 6f
    mov cl, [rsi]
    mov [rdi], cl
    inc rsi
    inc rdi
    dec rdx
    jmp 5b
6:  ret

7:  mov rax, rdi
8:  cmp rdx, 16
    jb 9f
    movups xmm0, [rsi + rdx - 16]
    movups [rdi + rdx - 16], xmm0
    sub rdx, 16
    jmp 8b
9:  test rdx, rdx
    jz 6b
    mov cl, [rsi + rdx - 1]
    mov [rdi + rdx - 1], cl
    dec rdx
    jmp 9b

memset:
    mov rax, rdi
    movzx ecx, sil
    movabs r8, 0x0101010101010101
    imul rcx, r8
    cmp rdx, 64
    jb 3f
    movq xmm0, rcx
    punpcklqdq xmm0, xmm0
2:  movups [rdi], xmm0
    movups [rdi + 16], xmm0
    movups [rdi + 32], xmm0
    movups [rdi + 48], xmm0
    add rdi, 64
    sub rdx, 64
    cmp rdx, 64
    jae 2b
3:  cmp rdx, 8
    jb 5f
4:  mov [rdi], rcx
    add rdi, 8
    sub rdx, 8
    cmp rdx, 8
    jae 4b
5:  test rdx, rdx
    jz 6f
    mov [rdi], cl
    inc rdi
    dec rdx
    jmp 5b
6:  ret

bcmp:
memcmp:
2:  cmp rdx, 8
    jb 3f
    mov rax, [rdi]
    cmp rax, [rsi]
    jne 3f
    add rdi, 8
    add rsi, 8
    sub rdx, 8
    jmp 2b
3:  test rdx, rdx
    jz 4f
    movzx eax, byte ptr [rdi]
    movzx ecx, byte ptr [rsi]
    sub eax, ecx
    jnz 5f
    inc rdi
    inc rsi
    dec rdx
    jmp 3b
4:  xor eax, eax
5:  ret

strlen:
    xor eax, eax
2:  cmp byte ptr [rdi + rax], 0
    je 3f
    inc rax
    jmp 2b
3:  ret
