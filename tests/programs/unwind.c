// What clang 14 calls where C++ is compiled with `-fwasm-exceptions`: as much of the C++ library as `throws.cpp` needs.
//
// A thrown object stands behind a header. Its address is what the exception carries. A function that catches by type sets
// the first two members of `__wasm_lpad_context` and calls `_Unwind_CallPersonality`, which leaves in the third which type
// of the function's own list it is: the numbers of types count from the list's end.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct type {
  void **kind;
  const char *name;
  // Of a class with one base.
  const struct type *base;
};

struct header {
  const struct type *type;
  // Destructors return what they destroy.
  void *(*destroy)(void *);
  // What a clause is given: the object, or the pointer that it is.
  void *seen;
  struct header *outer;
  int handlers;
  int again;
} __attribute__((aligned(16)));

// What a class's type points to, two words in.
void *plain_class[3] __asm__("_ZTVN10__cxxabiv117__class_type_infoE");
void *derived_class[3] __asm__("_ZTVN10__cxxabiv120__si_class_type_infoE");
const struct type int_type __asm__("_ZTIi") = {0, "i", 0};
const struct type double_type __asm__("_ZTId") = {0, "d", 0};
const struct type text_type __asm__("_ZTIPKc") = {0, "PKc", 0};

struct {
  uintptr_t place;
  const uint8_t *list;
  uintptr_t chosen;
} __wasm_lpad_context;

// Being handled, the innermost first.
static struct header *handled;

static struct header *of(void *object) { return (struct header *)object - 1; }

void *__cxa_allocate_exception(size_t size) {
  struct header *header = calloc(1, sizeof *header + size);
  if (!header) {
    abort();
  }
  return header + 1;
}

static _Noreturn void go(void *object) { __builtin_wasm_throw(0, object); }

_Noreturn void __cxa_throw(void *object, const struct type *type, void *(*destroy)(void *)) {
  of(object)->type = type;
  of(object)->destroy = destroy;
  go(object);
}

void *__cxa_begin_catch(void *object) {
  struct header *header = of(object);
  if (header->handlers++ == 0) {
    header->outer = handled;
    handled = header;
  }
  return header->seen;
}

void __cxa_end_catch(void) {
  struct header *header = handled;
  if (--header->handlers > 0) {
    return;
  }
  handled = header->outer;
  if (header->again) {
    header->again = 0;
    return;
  }
  if (header->destroy) {
    header->destroy(header + 1);
  }
  free(header);
}

_Noreturn void __cxa_rethrow(void) {
  handled->again = 1;
  go(handled + 1);
}

_Noreturn void terminate(void) __asm__("_ZSt9terminatev");
_Noreturn void terminate(void) { abort(); }

static uintptr_t number(const uint8_t **at) {
  uintptr_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    uint8_t byte = *(*at)++;
    value |= (uintptr_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
}

// A number below 64 either way: actions are few.
static int distance(const uint8_t *at) { return (*at & 0x40) ? *at - 0x80 : *at; }

static int is(const struct type *thrown, const struct type *wanted) {
  while (strcmp(thrown->name, wanted->name)) {
    if (thrown->kind != derived_class + 2) {
      return 0;
    }
    thrown = thrown->base;
  }
  return 1;
}

// Only for lists whose types are addresses.
int _Unwind_CallPersonality(void *object) {
  const uint8_t *at = __wasm_lpad_context.list + 2;
  uintptr_t length = number(&at);
  const struct type *const *types = (const void *)(at + length);
  at++;
  length = number(&at);
  const uint8_t *actions = at + length;
  for (uintptr_t place = 0; place < __wasm_lpad_context.place; place++) {
    number(&at);
    number(&at);
  }
  number(&at);
  uintptr_t first = number(&at);
  struct header *header = of(object);
  header->seen = *header->type->name == 'P' ? *(void **)object : object;
  __wasm_lpad_context.chosen = 0;
  for (const uint8_t *action = actions + first - 1; first;) {
    int type = distance(action++);
    if (type == 0 || !types[-type] || is(header->type, types[-type])) {
      __wasm_lpad_context.chosen = type;
      break;
    }
    int next = distance(action);
    if (next == 0) {
      break;
    }
    action += next;
  }
  return 0;
}
