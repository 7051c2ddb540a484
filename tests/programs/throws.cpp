// C++ exceptions: thrown, caught by type, thrown again, and what is destroyed on the way. It needs no library but C's.

#include <stdio.h>
#include <stdlib.h>

struct Loud {
  const char *name;
  explicit Loud(const char *name) : name(name) { printf("+%s ", name); }
  ~Loud() { printf("-%s ", name); }
};

struct Error {
  int code;
  explicit Error(int code) : code(code) {}
  virtual int value() const { return code; }
};

struct Special : Error {
  explicit Special(int code) : Error(code) {}
  int value() const override { return code * 100; }
};

struct Copied {
  int *count;
  explicit Copied(int *count) : count(count) { ++*count; }
  Copied(const Copied &other) : count(other.count) { ++*count; }
  ~Copied() { --*count; }
};

static int copies;

__attribute__((noinline)) static double raise(int what) {
  Loud loud("raise");
  switch (what) {
    case 0: throw 5;
    case 1: throw Special(7);
    case 2: throw Error(8);
    case 3: throw "text";
    case 4: throw Copied(&copies);
    case 5: throw 2.5;
    default: return what / 4.0;
  }
}

__attribute__((noinline)) static double between(double (*call)(int), int what) {
  Loud loud("between");
  try {
    return call(what) + 1;
  } catch (const char *text) {
    printf("(%s) ", text);
    throw;
  } catch (const Copied &) {
    Loud inner("copied");
    throw 6;
  }
}

static void never(int what) noexcept {
  if (what < 0) {
    raise(0);
  }
}

int main() {
  for (int what = 0; what < 8; what++) {
    try {
      Loud loud("main");
      never(what);
      printf("= %g ", between(raise, what));
    } catch (int value) {
      printf("int %d ", value);
    } catch (const Error &error) {
      printf("error %d ", error.value());
    } catch (const char *text) {
      try {
        throw Special(text[0]);
      } catch (Special &error) {
        printf("%s, then %d ", text, error.value());
      }
    } catch (...) {
      printf("something else ");
    }
    puts("");
  }
  long sum = 0;
  for (int turn = 0; turn < 20000; turn++) {
    try {
      if (turn % 3 == 0) {
        throw turn;
      }
      sum += 1;
    } catch (int value) {
      sum += value;
    }
  }
  printf("%ld, %d copies are left\n", sum, copies);
  fflush(stdout);
  throw 1;
}
