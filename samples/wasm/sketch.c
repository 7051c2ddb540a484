// A device program in C, without any library: it draws a board, and a key moves a stone on it. Arrow keys move, the
// space bar leaves a mark, `r` paints the board anew from a buffer that moves to the display without a copy.
//
//     ilc bindings --lang c console display keyboard -o cascade.h
//     clang --target=wasm32 -nostdlib -O2 -Wl,--no-entry sketch.c -o sketch.wasm
//     cascade run sketch.wasm

#include "cascade.h"

enum { SIDE = 8, CELL = 40, LEFT = 80, TOP = 60 };
enum { DARK = 0x35506b, LIGHT = 0xc9d6df, STONE = 0xd1495b, MARK = 0xedae49 };
// USB HID usages.
enum { KEY_R = 21, KEY_SPACE = 44, KEY_RIGHT = 79, KEY_LEFT, KEY_DOWN, KEY_UP };

static int32_t column, row;
static bool marked[SIDE][SIDE];

static void draw_cell(int32_t x, int32_t y) {
  int32_t left = LEFT + x * CELL, top = TOP + y * CELL;
  cascade_display_fill_rect(left, top, CELL, CELL, (x + y) % 2 ? DARK : LIGHT);
  if (marked[y][x]) {
    cascade_display_line(left, top, left + CELL - 1, top + CELL - 1, MARK);
    cascade_display_line(left + CELL - 1, top, left, top + CELL - 1, MARK);
  }
  if (x == column && y == row) {
    cascade_display_fill_rect(left + 12, top + 12, CELL - 24, CELL - 24, STONE);
  }
}

// One picture of all cells, made in a buffer outside of our memory, row by row.
static void repaint(void) {
  static uint32_t line[SIDE * CELL];
  cascade_buf picture = cascade_buf_new(SIDE * CELL * sizeof line);
  for (int32_t y = 0; y < SIDE * CELL; y++) {
    for (int32_t x = 0; x < SIDE * CELL; x++) {
      line[x] = (x / CELL + y / CELL) % 2 ? DARK : LIGHT;
    }
    cascade_buf_write(picture, (size_t)y * sizeof line, line, sizeof line);
  }
  cascade_display_blit_buf(LEFT, TOP, SIDE * CELL, SIDE * CELL, picture);
  for (int32_t y = 0; y < SIDE; y++) {
    for (int32_t x = 0; x < SIDE; x++) {
      if (marked[y][x] || (x == column && y == row)) {
        draw_cell(x, y);
      }
    }
  }
}

static void say(const char *text, size_t bytes) {
  cascade_console_write(text, bytes);
}

static void move(int32_t right, int32_t down) {
  int32_t x = column, y = row;
  if (x + right < 0 || x + right >= SIDE || y + down < 0 || y + down >= SIDE) {
    say("edge\n", 5);
    return;
  }
  column += right;
  row += down;
  draw_cell(x, y);
  draw_cell(column, row);
}

void cascade_keyboard_on_key(int32_t code, bool down, int32_t character) {
  (void)character;
  if (!down) {
    return;
  }
  switch (code) {
    case KEY_LEFT: move(-1, 0); break;
    case KEY_RIGHT: move(1, 0); break;
    case KEY_UP: move(0, -1); break;
    case KEY_DOWN: move(0, 1); break;
    case KEY_SPACE:
      marked[row][column] = !marked[row][column];
      draw_cell(column, row);
      break;
    case KEY_R: repaint(); break;
    default: return;
  }
  cascade_display_present();
}

__attribute__((export_name("main"))) void start(void) {
  int32_t width, height;
  cascade_display_size(&width, &height);
  cascade_display_clear(0);
  static const char help[] = "arrows, space, r";
  cascade_display_text(LEFT, TOP - 20, help, sizeof help - 1, LIGHT);
  for (int32_t y = 0; y < SIDE; y++) {
    for (int32_t x = 0; x < SIDE; x++) {
      draw_cell(x, y);
    }
  }
  // One pixel by a span of memory, which is copied.
  static const uint32_t corner = STONE;
  cascade_display_blit(width - 1, height - 1, 1, 1, &corner, sizeof corner);
  int64_t frame;
  if (cascade_display_try_present(&frame) == CASCADE_OK && frame == 1) {
    say("ready\n", 6);
  }
  // Outside of the screen: a status, not a trap.
  int32_t color;
  if (cascade_display_try_get_pixel(width, 0, &color) == CASCADE_OUT_OF_RANGE) {
    say("out of range\n", 13);
  }
}
