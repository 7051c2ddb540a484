// Fannkuch: how often the longest chain of prefix reversals turns, over all permutations of `n`.
#include <stdint.h>

enum { MOST = 16 };

int64_t run(int32_t n) {
    int32_t first[MOST], perm[MOST], count[MOST];
    for (int32_t i = 0; i < n; i++) first[i] = i;
    int32_t most = 0, checksum = 0, number = 0, r = n;
    for (;;) {
        for (; r != 1; r--) count[r - 1] = r;
        for (int32_t i = 0; i < n; i++) perm[i] = first[i];
        int32_t flips = 0;
        for (int32_t k = perm[0]; k != 0; k = perm[0]) {
            for (int32_t low = 0, high = k; low < high; low++, high--) {
                int32_t kept = perm[low];
                perm[low] = perm[high];
                perm[high] = kept;
            }
            flips++;
        }
        if (flips > most) most = flips;
        checksum += number % 2 == 0 ? flips : -flips;
        for (;; r++) {
            if (r == n) return (int64_t)checksum * 1000 + most;
            int32_t front = first[0];
            for (int32_t i = 0; i < r; i++) first[i] = first[i + 1];
            first[r] = front;
            count[r]--;
            if (count[r] > 0) break;
        }
        number++;
    }
}
