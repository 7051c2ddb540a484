// What clang 14 calls where a program has `setjmp` and `longjmp` and is compiled with
//
//     -mexception-handling -mllvm -wasm-enable-sjlj
//
// A function that calls `setjmp` keeps a table of the calls that it made, which ends at a `call` of 0, and catches the
// exception that a jump is. It asks `testSetjmp` for the place in its code to which that jump goes, and throws again if
// there is none. The table begins with room for four calls, and is freed by that function.

#include <stdlib.h>

#include "setjmp.h"

struct entry {
  unsigned call;
  unsigned place;
};

// What a jump throws: the compiler reads both members.
struct jump {
  void *buffer;
  int value;
};

// The second result of `saveSetjmp`.
static unsigned second;

unsigned getTempRet0(void) { return second; }

void setTempRet0(unsigned value) { second = value; }

// Notes a call of `setjmp`; gives the table, and how many calls it has room for.
struct entry *saveSetjmp(jmp_buf buffer, unsigned place, struct entry *table, unsigned room) {
  static unsigned calls;
  unsigned at = 0;
  while (table[at].call) {
    at++;
  }
  if (at == room) {
    room *= 2;
    table = realloc(table, (room + 1) * sizeof *table);
    if (!table) {
      abort();
    }
  }
  buffer->call = ++calls;
  table[at] = (struct entry){calls, place};
  table[at + 1].call = 0;
  second = room;
  return table;
}

// Where in the function that has this table a jump goes on; 0: not there.
unsigned testSetjmp(unsigned call, const struct entry *table, unsigned room) {
  for (unsigned at = 0; at < room && table[at].call; at++) {
    if (table[at].call == call) {
      return table[at].place;
    }
  }
  return 0;
}

// `longjmp`. The exception's tag is the compiler's, by its number.
_Noreturn void __wasm_longjmp(void *buffer, int value) {
  static struct jump jump;
  jump = (struct jump){buffer, value ? value : 1};
  __builtin_wasm_throw(1, &jump);
}
