// The eight programs, and `fork`, as a worker: reads lines `NAME N`, answers each with `NS CHECKSUM`.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t run_fib(int32_t n), run_sha256(int32_t n), run_nbody(int32_t n), run_fannkuch(int32_t n);
int64_t run_spectral_norm(int32_t n), run_mandelbrot(int32_t n), run_quicksort(int32_t n);
int64_t run_binary_trees(int32_t n);

// Processes that end at once, one after another.
static int64_t run_fork(int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child) return -1;
    }
    return n;
}

static const struct {
    const char *name;
    int64_t (*run)(int32_t);
} PROGRAMS[] = {
    {"fib", run_fib},
    {"sha256", run_sha256},
    {"nbody", run_nbody},
    {"fannkuch", run_fannkuch},
    {"spectral-norm", run_spectral_norm},
    {"mandelbrot", run_mandelbrot},
    {"quicksort", run_quicksort},
    {"binary-trees", run_binary_trees},
    {"fork", run_fork},
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int answer(const char *name, int32_t n) {
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++) {
        if (strcmp(PROGRAMS[i].name, name)) continue;
        int64_t start = now();
        int64_t checksum = PROGRAMS[i].run(n);
        printf("%lld %lld\n", (long long)(now() - start), (long long)checksum);
        return fflush(stdout);
    }
    fprintf(stderr, "no program %s\n", name);
    return 1;
}

int main(void) {
    char name[32];
    int n;
    while (scanf("%31s %d", name, &n) == 2) {
        if (answer(name, n)) return 1;
    }
    return 0;
}
