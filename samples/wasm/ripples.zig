//! A device program in Zig, without WASI: two stones fall into a pond, and their rings meet. Arrow keys move the second stone, the space bar turns the colours, `r` puts everything back.
//!
//!     ilc bindings --lang zig console display keyboard -o cascade.zig
//!     zig build-exe ripples.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic
//!     cascade run ripples.wasm

const std = @import("std");
const cascade = @import("cascade.zig");
const console = cascade.console;
const display = cascade.display;
const keyboard = cascade.keyboard;

comptime {
    keyboard.on_key(key);
}

// USB HID usages.
const key_r = 21;
const key_space = 44;
const key_right = 79;
const key_left = 80;
const key_down = 81;
const key_up = 82;

const Point = struct { x: i32, y: i32 };

/// Where the second stone falls, from the middle.
const start_at = Point{ .x = 90, .y = 60 };
const step = 30;

var stone = start_at;
var turn: u8 = 0;

/// Night blue over turquoise to the colour of sand, and back: made by the compiler.
const palette = blk: {
    @setEvalBranchQuota(4000);
    const stops = [_][3]i32{ .{ 12, 24, 58 }, .{ 22, 96, 122 }, .{ 92, 190, 178 }, .{ 244, 226, 176 }, .{ 12, 24, 58 } };
    var colors: [256]u32 = undefined;
    for (&colors, 0..) |*color, at| {
        const from = stops[at / 64];
        const to = stops[at / 64 + 1];
        var mixed: u32 = 0;
        for (from, to) |a, b| {
            mixed = mixed << 8 | @as(u32, @intCast(a + @divTrunc((b - a) * @as(i32, at % 64), 64)));
        }
        color.* = mixed;
    }
    break :blk colors;
};

/// How high the water stands at a distance from where a stone fell: rings that get narrower.
fn wave(x: i32, y: i32) i32 {
    const far = (x * x + y * y) >> 5;
    const phase = far & 255;
    return if (phase < 128) phase else 255 - phase;
}

/// One row of the picture; no screen is wider.
var line: [4096]u32 = undefined;

fn paint() cascade.Error!void {
    const size = try display.try_size();
    const width: usize = @intCast(size.w);
    const row = line[0..@min(width, line.len)];
    // Made outside of linear memory, it moves to the display.
    const picture = cascade.Buf.new(row.len * @as(usize, @intCast(size.h)) * @sizeOf(u32));
    var y: i32 = 0;
    while (y < size.h) : (y += 1) {
        const up = y - @divTrunc(size.h, 2);
        for (row, 0..) |*pixel, x| {
            const right = @as(i32, @intCast(x)) - @divTrunc(size.w, 2);
            const height = wave(right + start_at.x, up + start_at.y) + wave(right - stone.x, up - stone.y);
            pixel.* = palette[@as(u8, @intCast(height)) +% turn];
        }
        picture.write(@as(usize, @intCast(y)) * row.len * @sizeOf(u32), std.mem.sliceAsBytes(row));
    }
    display.blit_buf(0, 0, size.w, size.h, picture);
    display.text(8, 8, "arrows, space, r", 0xffffff);
    _ = try display.try_present();
}

fn show(said: []const u8) void {
    if (paint()) |_| {
        console.write(said);
    } else |failure| {
        console.write(@errorName(failure));
        console.write("\n");
    }
}

fn key(code: i32, down: bool, character: i32) void {
    _ = character;
    if (!down) return;
    switch (code) {
        key_right => stone.x += step,
        key_left => stone.x -= step,
        key_down => stone.y += step,
        key_up => stone.y -= step,
        key_space => turn +%= 64,
        key_r => {
            stone = start_at;
            turn = 0;
        },
        else => return,
    }
    show("moved\n");
}

export fn main() void {
    show("calm\n");
}
