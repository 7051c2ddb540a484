// The spectral norm of an `n` x `n` part of an infinite matrix, by ten power steps; in 1e-12.
#include <stdint.h>

enum { MOST = 4096 };

static double element(int32_t i, int32_t j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void times(const double *v, double *out, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int32_t j = 0; j < n; j++) sum += element(i, j) * v[j];
        out[i] = sum;
    }
}

static void times_transposed(const double *v, double *out, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int32_t j = 0; j < n; j++) sum += element(j, i) * v[j];
        out[i] = sum;
    }
}

int64_t run(int32_t n) {
    static double u[MOST], v[MOST], w[MOST];
    for (int32_t i = 0; i < n; i++) u[i] = 1.0;
    for (int32_t step = 0; step < 10; step++) {
        times(u, w, n);
        times_transposed(w, v, n);
        times(v, w, n);
        times_transposed(w, u, n);
    }
    double uv = 0.0, vv = 0.0;
    for (int32_t i = 0; i < n; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    return (int64_t)(__builtin_sqrt(uv / vv) * 1e12);
}
