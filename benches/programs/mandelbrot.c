// The Mandelbrot set as a bitmap of `n` x `n`, 50 turns a point; the checksum folds its bytes.
#include <stdint.h>

enum { MOST = 4096, TURNS = 50 };

static int inside(double cx, double cy) {
    double x = 0.0, y = 0.0;
    for (int turn = 0; turn < TURNS; turn++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4.0) return 0;
        y = 2.0 * x * y + cy;
        x = xx - yy + cx;
    }
    return 1;
}

int64_t run(int32_t n) {
    static uint8_t row[MOST / 8];
    int64_t checksum = 0;
    for (int32_t py = 0; py < n; py++) {
        double cy = 2.0 * py / n - 1.0;
        for (int32_t byte = 0; byte < n / 8; byte++) {
            int32_t bits = 0;
            for (int32_t bit = 0; bit < 8; bit++) {
                double cx = 2.0 * (byte * 8 + bit) / n - 1.5;
                bits = bits << 1 | inside(cx, cy);
            }
            row[byte] = (uint8_t)bits;
        }
        for (int32_t byte = 0; byte < n / 8; byte++) {
            checksum = (int64_t)((uint64_t)checksum * 31 + row[byte]);
        }
    }
    return checksum;
}
