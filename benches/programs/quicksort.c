// Quicksort of `n` numbers of a linear congruence; the checksum weighs each by its place.
#include <stdint.h>
#include <stdlib.h>

static void sort(int32_t *a, int32_t from, int32_t to) {
    if (from >= to) return;
    int32_t pivot = a[from + (to - from) / 2];
    int32_t low = from, high = to;
    while (low <= high) {
        while (a[low] < pivot) low++;
        while (a[high] > pivot) high--;
        if (low <= high) {
            int32_t kept = a[low];
            a[low] = a[high];
            a[high] = kept;
            low++;
            high--;
        }
    }
    sort(a, from, high);
    sort(a, low, to);
}

int64_t run(int32_t n) {
    int32_t *a = malloc((size_t)n * sizeof *a);
    if (!a) abort();
    uint32_t seed = 42;
    for (int32_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        a[i] = (int32_t)seed;
    }
    sort(a, 0, n - 1);
    uint64_t checksum = 0;
    for (int32_t i = 0; i < n; i++) checksum += (uint64_t)(int64_t)a[i] * (uint64_t)(i & 1023);
    free(a);
    return (int64_t)checksum;
}
