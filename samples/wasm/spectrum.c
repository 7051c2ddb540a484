// What a series of measurements is made of: a trend by least squares, and waves by a fast Fourier transform.
//
//     spectrum make FILE     writes a series to analyse, one number a line
//     spectrum FILE          reads one, and writes what is left of it without trend and waves to FILE.rest

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 1024, WAVES = 3 };

static const double TAU = 6.283185307179586;

struct complex {
  double re, im;
};

// In place, by halves; `sign` is -1 forwards and 1 backwards. `points` is a power of two.
static void transform(struct complex *x, int points, int sign) {
  for (int at = 1, mirrored = 0; at < points; at++) {
    int bit = points >> 1;
    for (; mirrored & bit; bit >>= 1) {
      mirrored ^= bit;
    }
    mirrored |= bit;
    if (at < mirrored) {
      struct complex other = x[at];
      x[at] = x[mirrored];
      x[mirrored] = other;
    }
  }
  for (int length = 2; length <= points; length *= 2) {
    for (int at = 0; at < length / 2; at++) {
      double angle = sign * TAU * at / length;
      struct complex turn = {cos(angle), sin(angle)};
      for (int start = at; start < points; start += length) {
        struct complex *even = &x[start], *odd = &x[start + length / 2];
        struct complex turned = {odd->re * turn.re - odd->im * turn.im, odd->re * turn.im + odd->im * turn.re};
        *odd = (struct complex){even->re - turned.re, even->im - turned.im};
        *even = (struct complex){even->re + turned.re, even->im + turned.im};
      }
    }
  }
}

static FILE *must_open(const char *name, const char *mode) {
  FILE *file = fopen(name, mode);
  if (!file) {
    fprintf(stderr, "spectrum: %s: %s\n", name, strerror(errno));
    exit(2);
  }
  return file;
}

static void must_close(FILE *file, const char *name) {
  if (ferror(file) | fclose(file)) {
    fprintf(stderr, "spectrum: %s: %s\n", name, strerror(errno));
    exit(2);
  }
}

static void make(const char *name) {
  FILE *file = must_open(name, "w");
  unsigned random = 1;
  for (int at = 0; at < POINTS; at++) {
    random = random * 1103515245 + 12345;
    double noise = (random >> 16 & 0x7fff) / 32768.0 - 0.5;
    double t = (double)at / POINTS;
    double value = 3 + 4 * t + 2 * sin(TAU * 17 * t) + 0.75 * cos(TAU * 90 * t) + 0.25 * noise;
    fprintf(file, "%.9g\n", value);
  }
  must_close(file, name);
}

// `y = a + b t` with the least squares of what is left, for t from 0 to 1.
static void trend(const double *y, int points, double *a, double *b) {
  double t1 = 0, t2 = 0, y1 = 0, ty = 0;
  for (int at = 0; at < points; at++) {
    double t = (double)at / points;
    t1 += t;
    t2 += t * t;
    y1 += y[at];
    ty += t * y[at];
  }
  *b = (points * ty - t1 * y1) / (points * t2 - t1 * t1);
  *a = (y1 - *b * t1) / points;
}

static void analyse(const char *name) {
  static double y[POINTS];
  static struct complex x[POINTS];
  FILE *file = must_open(name, "r");
  int points = 0;
  while (points < POINTS && fscanf(file, "%lf", &y[points]) == 1) {
    points++;
  }
  must_close(file, name);
  if (points != POINTS) {
    fprintf(stderr, "spectrum: %s: %d numbers, %d are wanted\n", name, points, POINTS);
    exit(1);
  }
  double a, b;
  trend(y, points, &a, &b);
  printf("trend %g + %g t\n", a, b);
  for (int at = 0; at < points; at++) {
    x[at] = (struct complex){y[at] - a - b * at / points, 0};
  }
  transform(x, points, -1);
  for (int wave = 0; wave < WAVES; wave++) {
    int most = 1;
    for (int at = 1; at < points / 2; at++) {
      if (hypot(x[at].re, x[at].im) > hypot(x[most].re, x[most].im)) {
        most = at;
      }
    }
    double amplitude = 2 * hypot(x[most].re, x[most].im) / points, phase = atan2(x[most].im, x[most].re);
    printf("%4d periods, amplitude %.5g, phase %.4f\n", most, amplitude, phase);
    x[most] = x[points - most] = (struct complex){0, 0};
  }
  transform(x, points, 1);
  char *rest = malloc(strlen(name) + sizeof ".rest");
  if (!rest) {
    exit(2);
  }
  strcat(strcpy(rest, name), ".rest");
  file = must_open(rest, "w");
  double squares = 0;
  for (int at = 0; at < points; at++) {
    double left = x[at].re / points;
    squares += left * left;
    fprintf(file, "%.6f\n", left);
  }
  must_close(file, rest);
  printf("what is left has a deviation of %e\n", sqrt(squares / points));
  free(rest);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "make")) {
    make(argv[2]);
  } else if (argc == 2) {
    analyse(argv[1]);
  } else {
    fprintf(stderr, "usage: spectrum [make] FILE\n");
    return 2;
  }
  return 0;
}
