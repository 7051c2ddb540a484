// Runs the SQL of a file, or of standard input, on a database, and prints rows: the library beneath is SQLite.
//
//     sql [DATABASE [STATEMENTS]]

#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

static int row(void *separator, int count, char **values, char **names) {
  (void)names;
  for (int at = 0; at < count; at++) {
    printf("%s%s", at ? (const char *)separator : "", values[at] ? values[at] : "NULL");
  }
  putchar('\n');
  return 0;
}

static char *read_all(FILE *file) {
  size_t room = 4096, length = 0;
  char *text = malloc(room);
  while (text && (length += fread(text + length, 1, room - length - 1, file), !feof(file) && !ferror(file))) {
    text = realloc(text, room *= 2);
  }
  if (text) {
    text[length] = 0;
  }
  return text;
}

int main(int argc, char **argv) {
  sqlite3 *database;
  FILE *statements = argc > 2 ? fopen(argv[2], "r") : stdin;
  char *text = statements ? read_all(statements) : NULL, *why = NULL;
  if (!text || sqlite3_open(argc > 1 ? argv[1] : ":memory:", &database) != SQLITE_OK) {
    fprintf(stderr, "sql: cannot open the database or the statements\n");
    return 2;
  }
  int status = sqlite3_exec(database, text, row, "|", &why);
  if (status != SQLITE_OK) {
    printf("error %d: %s\n", status, why ? why : sqlite3_errmsg(database));
    sqlite3_free(why);
  }
  free(text);
  return sqlite3_close(database) == SQLITE_OK && status == SQLITE_OK ? 0 : 1;
}
