// What small processors are measured with: a list, matrices, a state machine and a checksum, over and over.
//
//     mark [ITERATIONS]
//
// Every pass depends on the checksum of the one before, so nothing can be left out. The three parts are also checked
// by themselves: what they give after the first pass is known.

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 200, SIDE = 12, TEXT = 600 };
// What the parts give for the seed 0.
enum { KNOWN_LIST = 0x30ab, KNOWN_MATRICES = 0xa64d, KNOWN_STATES = 0xb48f };

// CRC-16/CCITT, bit by bit.
static uint16_t crc_byte(uint16_t crc, uint8_t byte) {
  crc ^= (uint16_t)(byte << 8);
  for (int bit = 0; bit < 8; bit++) {
    crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc;
}

static uint16_t crc_32(uint16_t crc, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    crc = crc_byte(crc, (uint8_t)(value >> shift));
  }
  return crc;
}

// A list

struct node {
  struct node *next;
  int16_t key;
  uint16_t place;
};

typedef int compare(const struct node *, const struct node *);

static int by_key(const struct node *a, const struct node *b) {
  return a->key - b->key;
}

static int by_place(const struct node *a, const struct node *b) {
  return a->place - b->place;
}

static struct node *merge(struct node *a, struct node *b, compare *order) {
  struct node head = {0};
  struct node *tail = &head;
  while (a && b) {
    struct node **least = order(a, b) <= 0 ? &a : &b;
    tail->next = *least;
    tail = *least;
    *least = (*least)->next;
  }
  tail->next = a ? a : b;
  return head.next;
}

static struct node *sort(struct node *list, compare *order) {
  if (!list || !list->next) {
    return list;
  }
  struct node *middle = list;
  for (struct node *end = list->next; end && end->next; end = end->next->next) {
    middle = middle->next;
  }
  struct node *half = middle->next;
  middle->next = NULL;
  return merge(sort(list, order), sort(half, order), order);
}

static struct node *reverse(struct node *list) {
  struct node *done = NULL;
  while (list) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static uint16_t list_pass(struct node *nodes, uint16_t seed) {
  uint32_t random = seed * 2654435761u + 1;
  struct node *list = NULL;
  for (int at = 0; at < NODES; at++) {
    random = random * 1103515245 + 12345;
    nodes[at] = (struct node){.next = list, .key = (int16_t)(random >> 16), .place = (uint16_t)at};
    list = &nodes[at];
  }
  uint16_t crc = seed;
  list = sort(list, by_key);
  for (struct node *node = list; node; node = node->next) {
    crc = crc_32(crc, (uint32_t)node->place << 16 | (uint16_t)node->key);
  }
  list = reverse(sort(list, by_place));
  for (struct node *node = list; node; node = node->next) {
    crc = crc_byte(crc, (uint8_t)node->place);
  }
  return crc;
}

// Matrices

typedef int32_t matrix[SIDE][SIDE];

static void fill(matrix m, uint32_t seed) {
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      seed = seed * 1664525 + 1013904223;
      m[row][column] = (int16_t)(seed >> 16);
    }
  }
}

static void multiply(matrix to, matrix a, matrix b) {
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      uint32_t sum = 0;
      for (int at = 0; at < SIDE; at++) {
        sum += (uint32_t)a[row][at] * (uint32_t)b[at][column];
      }
      to[row][column] = (int32_t)sum;
    }
  }
}

static uint16_t matrix_pass(uint16_t seed) {
  static matrix a, b, product;
  fill(a, seed);
  fill(b, seed ^ 0xffffu);
  multiply(product, a, b);
  uint16_t crc = seed;
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      int32_t clipped = product[row][column] >> 4 & 0xffffff;
      crc = crc_32(crc, (uint32_t)(clipped % (row + 1) + clipped / (column + 1)));
    }
  }
  return crc;
}

// A state machine that tells numbers in a text apart

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, INVALID, STATES };

static enum state step(enum state state, char c) {
  bool digit = c >= '0' && c <= '9';
  bool sign = c == '+' || c == '-';
  switch (state) {
    case START: return digit ? INTEGER : sign ? SIGN : c == '.' ? POINT : INVALID;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : INVALID;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case POINT: return digit ? FRACTION : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit ? POWER : sign ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN: return digit ? POWER : INVALID;
    case POWER: return digit ? POWER : INVALID;
    case INVALID: return INVALID;
    default: return INVALID;
  }
}

static uint16_t state_pass(char *text, uint16_t seed) {
  static const char *const words[] = {"5012,", "-1.5e+10,", "+.25,", "1e9,", "T0.3,", "-110.700,", "7e-,", "--6,"};
  size_t length = 0;
  for (uint32_t random = seed; length + 12 < TEXT; random = random * 69069 + 1) {
    const char *word = words[random >> 13 & 7];
    memcpy(text + length, word, strlen(word));
    length += strlen(word);
  }
  uint32_t finals[STATES] = {0}, moves[STATES] = {0};
  enum state state = START;
  for (size_t at = 0; at < length; at++) {
    if (text[at] == ',') {
      finals[state]++;
      state = START;
    } else {
      enum state next = step(state, text[at]);
      moves[state] += next != state;
      state = next;
    }
  }
  uint16_t crc = seed;
  for (int at = 0; at < STATES; at++) {
    crc = crc_32(crc, finals[at] << 16 | moves[at]);
  }
  return crc;
}

int main(int count, char **arguments) {
  long iterations = count > 1 ? strtol(arguments[1], NULL, 10) : 100;
  struct node *nodes = malloc(NODES * sizeof *nodes);
  char *text = malloc(TEXT);
  if (iterations < 1 || !nodes || !text) {
    fprintf(stderr, "usage: mark [ITERATIONS]\n");
    return 2;
  }
  uint16_t list = list_pass(nodes, 0), matrices = matrix_pass(0), states = state_pass(text, 0);
  uint16_t crc = 0;
  for (long at = 0; at < iterations; at++) {
    crc = list_pass(nodes, crc);
    crc = matrix_pass(crc);
    crc = state_pass(text, crc);
  }
  printf("list 0x%04x, matrices 0x%04x, states 0x%04x\n", list, matrices, states);
  printf("0x%04" PRIx16 " after %ld iterations\n", crc, iterations);
  free(text);
  free(nodes);
  bool right = list == KNOWN_LIST && matrices == KNOWN_MATRICES && states == KNOWN_STATES;
  printf("%s\n", right ? "correct" : "WRONG");
  return right ? 0 : 1;
}
