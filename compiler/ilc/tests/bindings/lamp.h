// Written by `ilc bindings --lang c` for demo.lamp@2, other.lamp@1; do not edit.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

#ifndef CASCADE_BINDINGS
#define CASCADE_BINDINGS

#ifndef __wasm__
#error "the functions of this header are imports of a WebAssembly module: compile it with --target=wasm32"
#endif

#ifdef __cplusplus
#define CASCADE_EXTERN extern "C"
#else
#define CASCADE_EXTERN extern
#endif
#define CASCADE_IMPORT(set, name) __attribute__((import_module(set), import_name(name))) CASCADE_EXTERN
#define CASCADE_EXPORT(name) __attribute__((export_name(name))) CASCADE_EXTERN

/// A handle of a `buf`, a byte buffer outside of linear memory; never 0. It is used until it is given to an
/// instruction, which moves it, or freed. Another use, or one beyond its end, traps.
typedef int32_t cascade_buf;

/// Makes a buffer of `bytes` zeros.
CASCADE_IMPORT("cascade.buf", "new") cascade_buf cascade_buf_new(size_t bytes);
/// Its length in bytes.
CASCADE_IMPORT("cascade.buf", "len") size_t cascade_buf_len(cascade_buf buf);
/// Copies `bytes` from `offset` of the buffer to `to`.
CASCADE_IMPORT("cascade.buf", "read") void cascade_buf_read(cascade_buf buf, size_t offset, void *to, size_t bytes);
/// Copies `bytes` from `from` to `offset` of the buffer.
CASCADE_IMPORT("cascade.buf", "write") void cascade_buf_write(cascade_buf buf, size_t offset, const void *from, size_t bytes);
/// Gives it back.
CASCADE_IMPORT("cascade.buf", "free") void cascade_buf_free(cascade_buf buf);

/// What the `try` form of an instruction answers. The other form traps unless it is `CASCADE_OK`.
enum cascade_status {
  CASCADE_OK = 0,
  /// bad operand
  CASCADE_BAD_OPERAND = 1,
  /// out of range
  CASCADE_OUT_OF_RANGE = 2,
  /// no such instruction
  CASCADE_NO_SUCH_INSTRUCTION = 3,
  /// not permitted
  CASCADE_NOT_PERMITTED = 4,
  /// revoked
  CASCADE_REVOKED = 5,
  /// peer gone
  CASCADE_PEER_GONE = 6,
  /// deadline
  CASCADE_DEADLINE = 7,
  /// quota
  CASCADE_QUOTA = 8,
  /// device error
  CASCADE_DEVICE_ERROR = 9,
  /// busy
  CASCADE_BUSY = 10,
  /// not supported
  CASCADE_NOT_SUPPORTED = 11,
  /// deadlock
  CASCADE_DEADLOCK = 12,
};

#endif // CASCADE_BINDINGS

#ifndef DEMO_LAMP_2
#define DEMO_LAMP_2

// demo.lamp@2
// A lamp: levels are 0..=100, in percent.

/// `1 set(level: i32, slowly: bool)`
/// Sets the level, at once.
CASCADE_IMPORT("demo.lamp@2", "set") void demo_lamp_set(int32_t level, bool slowly);

/// `2 settle() -> ()`
/// Waits until it shines.
CASCADE_IMPORT("demo.lamp@2", "settle") void demo_lamp_settle(void);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try settle") int32_t demo_lamp_try_settle(void);

/// `3 power(int: f32, fn: i64) -> (watts: f64)`
/// What it uses, in watts.
CASCADE_IMPORT("demo.lamp@2", "power") double demo_lamp_power(float int_, int64_t fn);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try power") int32_t demo_lamp_try_power(float int_, int64_t fn, double *watts);

/// `4 all(id: i32) -> (on: bool, label: str, picture: buf)`
/// All about it. `label` is a text.
CASCADE_IMPORT("demo.lamp@2", "all") void demo_lamp_all(int32_t id, int32_t *on, cascade_buf *label, cascade_buf *picture);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try all") int32_t demo_lamp_try_all(int32_t id, int32_t *on, cascade_buf *label, cascade_buf *picture);

/// `5 show(title: str, left: buf, right: buf) -> (shown: bool)`
/// A picture on it, beside another.
/// The bytes are copied once.
CASCADE_IMPORT("demo.lamp@2", "show") bool demo_lamp_show(const char *title, size_t title_bytes, const void *left, size_t left_bytes, const void *right, size_t right_bytes);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try show") int32_t demo_lamp_try_show(const char *title, size_t title_bytes, const void *left, size_t left_bytes, const void *right, size_t right_bytes, int32_t *shown);
/// The same with a buffer that moves: nothing is copied.
CASCADE_IMPORT("demo.lamp@2", "show") bool demo_lamp_show_buf(const char *title, size_t title_bytes, cascade_buf left, cascade_buf right);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try show") int32_t demo_lamp_try_show_buf(const char *title, size_t title_bytes, cascade_buf left, cascade_buf right, int32_t *shown);

#ifdef __wasm_simd128__
/// `6 mix(a: v128, b: v128) -> (v128)`
/// Colours, four at a time.
CASCADE_IMPORT("demo.lamp@2", "mix") v128_t demo_lamp_mix(v128_t a, v128_t b);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("demo.lamp@2", "try mix") int32_t demo_lamp_try_mix(v128_t a, v128_t b, v128_t *result);
#endif

// `7 scene() -> (?object)` is left out: it carries an object or a capability, which only the IL has.

/// The handler of the event `switched`: define it, and it is called.
CASCADE_EXPORT("demo.lamp@2.switched") void demo_lamp_on_switched(bool on, cascade_buf who);

/// The handler of the event `touched`: define it, and it is called.
/// Somebody touched it.
CASCADE_EXPORT("demo.lamp@2.touched") void demo_lamp_on_touched(void);

#endif // DEMO_LAMP_2

#ifndef OTHER_LAMP_1
#define OTHER_LAMP_1

// other.lamp@1
// Of the same name at its end.

/// `1 set(bytes: buf) -> ()`
/// The bytes are copied once.
CASCADE_IMPORT("other.lamp@1", "set") void other_lamp_set(const void *bytes, size_t bytes_bytes);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("other.lamp@1", "try set") int32_t other_lamp_try_set(const void *bytes, size_t bytes_bytes);
/// The same with a buffer that moves: nothing is copied.
CASCADE_IMPORT("other.lamp@1", "set") void other_lamp_set_buf(cascade_buf bytes);
/// The same as a value: a status in place of a trap.
CASCADE_IMPORT("other.lamp@1", "try set") int32_t other_lamp_try_set_buf(cascade_buf bytes);

#endif // OTHER_LAMP_1
