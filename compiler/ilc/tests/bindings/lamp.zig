// Written by `ilc bindings --lang zig` for demo.lamp@2, other.lamp@1; do not edit.

/// A `buf`: a byte buffer outside of linear memory. It is used until it is given to an instruction, which moves it, or
/// freed. Another use, or one beyond its end, traps.
pub const Buf = struct {
    handle: i32,

    /// A buffer of so many zeros.
    pub fn new(bytes: usize) Buf {
        return .{ .handle = raw_buf.new(bytes) };
    }

    /// Its length in bytes.
    pub fn len(buf: Buf) usize {
        return raw_buf.len(buf.handle);
    }

    /// Copies bytes from `offset` of the buffer.
    pub fn read(buf: Buf, offset: usize, to: []u8) void {
        raw_buf.read(buf.handle, offset, to.ptr, to.len);
    }

    /// Copies bytes to `offset` of the buffer.
    pub fn write(buf: Buf, offset: usize, from: []const u8) void {
        raw_buf.write(buf.handle, offset, from.ptr, from.len);
    }

    /// Gives it back.
    pub fn free(buf: Buf) void {
        raw_buf.free(buf.handle);
    }
};

const raw_buf = struct {
    extern "cascade.buf" fn new(usize) i32;
    extern "cascade.buf" fn len(i32) usize;
    extern "cascade.buf" fn read(i32, usize, [*]u8, usize) void;
    extern "cascade.buf" fn write(i32, usize, [*]const u8, usize) void;
    extern "cascade.buf" fn free(i32) void;
};

/// Why an instruction failed.
pub const Error = error{
    /// bad operand
    BadOperand,
    /// out of range
    OutOfRange,
    /// no such instruction
    NoSuchInstruction,
    /// not permitted
    NotPermitted,
    /// revoked
    Revoked,
    /// peer gone
    PeerGone,
    /// deadline
    Deadline,
    /// quota
    Quota,
    /// device error
    DeviceError,
    /// busy
    Busy,
    /// not supported
    NotSupported,
    /// deadlock
    Deadlock,
    /// A number that is not in the table.
    Other,
};

fn check(status: i32) Error!void {
    return switch (status) {
        0 => {},
        1 => error.BadOperand,
        2 => error.OutOfRange,
        3 => error.NoSuchInstruction,
        4 => error.NotPermitted,
        5 => error.Revoked,
        6 => error.PeerGone,
        7 => error.Deadline,
        8 => error.Quota,
        9 => error.DeviceError,
        10 => error.Busy,
        11 => error.NotSupported,
        12 => error.Deadlock,
        else => error.Other,
    };
}

/// `demo.lamp@2`
/// A lamp: levels are 0..=100, in percent.
pub const lamp = struct {
    /// `1 set(level: i32, slowly: bool)`
    /// Sets the level, at once.
    pub fn set(level: i32, slowly: bool) void {
        raw.set(level, @intFromBool(slowly));
    }

    /// `2 settle() -> ()`
    /// Waits until it shines.
    pub fn settle() void {
        raw.settle();
    }

    /// `settle` with a failure as an error.
    pub fn try_settle() Error!void {
        return check(raw.@"try settle"());
    }

    /// `3 power(int: f32, fn: i64) -> (watts: f64)`
    /// What it uses, in watts.
    pub fn power(int: f32, fn_: i64) f64 {
        return raw.power(int, fn_);
    }

    /// `power` with a failure as an error.
    pub fn try_power(int: f32, fn_: i64) Error!f64 {
        var watts: f64 = undefined;
        try check(raw.@"try power"(int, fn_, &watts));
        return watts;
    }

    /// `4 all(id: i32) -> (on: bool, label: str, picture: buf)`
    /// All about it. `label` is a text.
    pub fn all(id: i32) struct { on: bool, label: Buf, picture: Buf } {
        var on: i32 = undefined;
        var label: i32 = undefined;
        var picture: i32 = undefined;
        raw.all(id, &on, &label, &picture);
        return .{ .on = on != 0, .label = Buf{ .handle = label }, .picture = Buf{ .handle = picture } };
    }

    /// `all` with a failure as an error.
    pub fn try_all(id: i32) Error!struct { on: bool, label: Buf, picture: Buf } {
        var on: i32 = undefined;
        var label: i32 = undefined;
        var picture: i32 = undefined;
        try check(raw.@"try all"(id, &on, &label, &picture));
        return .{ .on = on != 0, .label = Buf{ .handle = label }, .picture = Buf{ .handle = picture } };
    }

    /// `5 show(title: str, left: buf, right: buf) -> (shown: bool)`
    /// A picture on it, beside another.
    /// The bytes are copied once.
    pub fn show(title: []const u8, left: []const u8, right: []const u8) bool {
        return raw.show(title.ptr, title.len, left.ptr, left.len, right.ptr, right.len) != 0;
    }

    /// `show` with a failure as an error.
    pub fn try_show(title: []const u8, left: []const u8, right: []const u8) Error!bool {
        var shown: i32 = undefined;
        try check(raw.@"try show"(title.ptr, title.len, left.ptr, left.len, right.ptr, right.len, &shown));
        return shown != 0;
    }

    /// `show` with a buffer that moves: nothing is copied.
    pub fn show_buf(title: []const u8, left: Buf, right: Buf) bool {
        return raw.@"give show"(title.ptr, title.len, left.handle, right.handle) != 0;
    }

    /// `show_buf` with a failure as an error.
    pub fn try_show_buf(title: []const u8, left: Buf, right: Buf) Error!bool {
        var shown: i32 = undefined;
        try check(raw.@"try give show"(title.ptr, title.len, left.handle, right.handle, &shown));
        return shown != 0;
    }

    // `6 mix(a: v128, b: v128) -> (v128)` is left out: it carries a vector.

    // `7 scene() -> (?object)` is left out: it carries an object or a capability, which only the IL has.

    /// Lets the event `switched` be handled: `comptime { on_switched(handler); }`
    pub fn on_switched(comptime handler: fn (on: bool, who: Buf) void) void {
        const entry = struct {
            fn call(on: i32, who: i32) callconv(.c) void {
                handler(on != 0, Buf{ .handle = who });
            }
        };
        @export(&entry.call, .{ .name = "demo.lamp@2.switched" });
    }

    /// Lets the event `touched` be handled: `comptime { on_touched(handler); }`
    /// Somebody touched it.
    pub fn on_touched(comptime handler: fn () void) void {
        const entry = struct {
            fn call() callconv(.c) void {
                handler();
            }
        };
        @export(&entry.call, .{ .name = "demo.lamp@2.touched" });
    }

    const raw = struct {
        extern "demo.lamp@2" fn set(i32, i32) void;
        extern "demo.lamp@2" fn settle() void;
        extern "demo.lamp@2" fn @"try settle"() i32;
        extern "demo.lamp@2" fn power(f32, i64) f64;
        extern "demo.lamp@2" fn @"try power"(f32, i64, *f64) i32;
        extern "demo.lamp@2" fn all(i32, *i32, *i32, *i32) void;
        extern "demo.lamp@2" fn @"try all"(i32, *i32, *i32, *i32) i32;
        extern "demo.lamp@2" fn show([*]const u8, usize, [*]const u8, usize, [*]const u8, usize) i32;
        extern "demo.lamp@2" fn @"try show"([*]const u8, usize, [*]const u8, usize, [*]const u8, usize, *i32) i32;
        extern "demo.lamp@2" fn @"give show"([*]const u8, usize, i32, i32) i32;
        extern "demo.lamp@2" fn @"try give show"([*]const u8, usize, i32, i32, *i32) i32;
    };
};

/// `other.lamp@1`
/// Of the same name at its end.
pub const other_lamp_1 = struct {
    /// `1 set(bytes: buf) -> ()`
    ///
    /// The bytes are copied once.
    pub fn set(bytes: []const u8) void {
        raw.set(bytes.ptr, bytes.len);
    }

    /// `set` with a failure as an error.
    pub fn try_set(bytes: []const u8) Error!void {
        return check(raw.@"try set"(bytes.ptr, bytes.len));
    }

    /// `set` with a buffer that moves: nothing is copied.
    pub fn set_buf(bytes: Buf) void {
        raw.@"give set"(bytes.handle);
    }

    /// `set_buf` with a failure as an error.
    pub fn try_set_buf(bytes: Buf) Error!void {
        return check(raw.@"try give set"(bytes.handle));
    }

    const raw = struct {
        extern "other.lamp@1" fn set([*]const u8, usize) void;
        extern "other.lamp@1" fn @"try set"([*]const u8, usize) i32;
        extern "other.lamp@1" fn @"give set"(i32) void;
        extern "other.lamp@1" fn @"try give set"(i32) i32;
    };
};
