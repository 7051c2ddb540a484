// What a text is made of: lines, words and bytes, as `wc` counts them, and the words that come most often.
//
//     words [-n COUNT] [-m PATTERN] [FILE..]
//
// Without a file it reads standard input. `-m` shows the lines with a match instead; in the pattern `.` is any
// character, `x*` any number of `x`, `^` and `$` the ends of a line.

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
  char *text;
  unsigned long count;
};

// A hash table with open addressing; its length is a power of two, and it is at most three quarters full.
static struct word *table;
static size_t slots, used;

static void *must(void *memory) {
  if (!memory) {
    fputs("words: out of memory\n", stderr);
    exit(2);
  }
  return memory;
}

static struct word *find(const char *text) {
  unsigned long hash = 5381;
  for (const char *at = text; *at; at++) {
    hash = hash * 33 ^ (unsigned char)*at;
  }
  size_t slot = hash & (slots - 1);
  while (table[slot].text && strcmp(table[slot].text, text) != 0) {
    slot = (slot + 1) & (slots - 1);
  }
  return &table[slot];
}

static void grow(void) {
  struct word *old = table;
  size_t before = slots;
  slots = slots ? slots * 2 : 64;
  table = must(calloc(slots, sizeof *table));
  for (size_t at = 0; at < before; at++) {
    if (old[at].text) {
      *find(old[at].text) = old[at];
    }
  }
  free(old);
}

static void count(const char *text) {
  if (used * 4 >= slots * 3) {
    grow();
  }
  struct word *word = find(text);
  if (!word->text) {
    word->text = must(malloc(strlen(text) + 1));
    strcpy(word->text, text);
    used++;
  }
  word->count++;
}

static int more_often(const void *left, const void *right) {
  const struct word *a = left, *b = right;
  if (a->count != b->count) {
    return a->count < b->count ? 1 : -1;
  }
  // What is not used has no text.
  return a->text && b->text ? strcmp(a->text, b->text) : !a->text - !b->text;
}

// Whether the pattern matches here, at the start of the text.
static bool here(const char *pattern, const char *text) {
  while (*pattern) {
    if (pattern[0] == '$' && !pattern[1]) {
      return !*text;
    }
    if (pattern[1] == '*') {
      for (const char *rest = text;; rest++) {
        if (here(pattern + 2, rest)) {
          return true;
        }
        if (!*rest || (*pattern != '.' && *rest != *pattern)) {
          return false;
        }
      }
    }
    if (!*text || (*pattern != '.' && *text != *pattern)) {
      return false;
    }
    pattern++;
    text++;
  }
  return true;
}

static bool matches(const char *pattern, const char *text) {
  if (*pattern == '^') {
    return here(pattern + 1, text);
  }
  do {
    if (here(pattern, text)) {
      return true;
    }
  } while (*text++);
  return false;
}

struct totals {
  unsigned long lines, words, bytes, matches;
};

// Takes a line without its newline apart; changes it.
static void take(char *line, struct totals *totals) {
  size_t length = 0;
  for (char *at = line;; at++) {
    if (*at && !isspace((unsigned char)*at)) {
      length++;
      continue;
    }
    bool end = !*at;
    *at = 0;
    if (length) {
      totals->words++;
      char *word = at - length;
      while (ispunct((unsigned char)*word)) {
        word++;
      }
      for (char *last = at; last > word && ispunct((unsigned char)last[-1]); last--) {
        last[-1] = 0;
      }
      for (char *letter = word; *letter; letter++) {
        *letter = (char)tolower((unsigned char)*letter);
      }
      if (*word) {
        count(word);
      }
    }
    length = 0;
    if (end) {
      return;
    }
  }
}

static bool read_all(FILE *file, const char *name, const char *pattern, struct totals *totals) {
  size_t room = 128, length = 0;
  char *line = must(malloc(room));
  for (int c; (c = getc(file)) != EOF || length;) {
    totals->bytes += c != EOF;
    totals->lines += c == '\n';
    if (c != EOF && c != '\n') {
      if (length + 1 == room) {
        line = must(realloc(line, room *= 2));
      }
      line[length++] = (char)c;
      continue;
    }
    line[length] = 0;
    if (pattern && matches(pattern, line)) {
      totals->matches++;
      printf("%s:%lu:%s\n", name, totals->lines + (c == EOF), line);
    } else if (!pattern) {
      take(line, totals);
    }
    length = 0;
  }
  free(line);
  if (ferror(file)) {
    fprintf(stderr, "words: %s: %s\n", name, strerror(errno));
  }
  return !ferror(file);
}

int main(int argc, char **argv) {
  long wanted = 10;
  const char *pattern = NULL;
  int at = 1;
  for (; at < argc && argv[at][0] == '-' && argv[at][1]; at += 2) {
    if (at + 1 < argc && !strcmp(argv[at], "-n")) {
      wanted = strtol(argv[at + 1], NULL, 10);
    } else if (at + 1 < argc && !strcmp(argv[at], "-m")) {
      pattern = argv[at + 1];
    } else {
      fprintf(stderr, "usage: words [-n COUNT] [-m PATTERN] [FILE..]\n");
      return 2;
    }
  }
  struct totals totals = {0};
  bool all_read = true;
  if (at == argc) {
    all_read = read_all(stdin, "-", pattern, &totals);
  }
  for (; at < argc; at++) {
    FILE *file = fopen(argv[at], "r");
    if (!file) {
      fprintf(stderr, "words: %s: %s\n", argv[at], strerror(errno));
      all_read = false;
      continue;
    }
    struct totals own = {0};
    all_read &= read_all(file, argv[at], pattern, &own);
    fclose(file);
    totals.lines += own.lines;
    totals.words += own.words;
    totals.bytes += own.bytes;
    totals.matches += own.matches;
  }
  if (pattern) {
    return !all_read ? 2 : totals.matches == 0;
  }
  printf("%7lu %7lu %7lu\n", totals.lines, totals.words, totals.bytes);
  if (slots) {
    qsort(table, slots, sizeof *table, more_often);
  }
  for (size_t word = 0; word < used && (long)word < wanted; word++) {
    printf("%7lu %s\n", table[word].count, table[word].text);
  }
  return all_read ? 0 : 2;
}
