// `setjmp` and `longjmp` on WebAssembly: clang makes exceptions of them, with the help of `setjmp.c`. wasi-libc's header says
// that there are none.
#pragma once

typedef struct {
  // Tells calls of `setjmp` apart.
  unsigned call;
} jmp_buf[1];

int setjmp(jmp_buf buffer) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf buffer, int value);
