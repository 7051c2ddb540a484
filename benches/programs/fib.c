// Naive Fibonacci: calls.
#include <stdint.h>

static int32_t fib(int32_t n) {
    if (n < 2) return n;
    return fib(n - 1) + fib(n - 2);
}

int64_t run(int32_t n) { return fib(n); }
