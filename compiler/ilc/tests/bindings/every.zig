// What Zig is not asked for it does not check: this asks for every function of two modules.

const std = @import("std");

comptime {
    @setEvalBranchQuota(100000);
    for (.{ @import("all_sets.zig"), @import("lamp.zig") }) |module| {
        for (std.meta.declarations(module)) |name| {
            const member = @field(module, name);
            if (@TypeOf(member) != type or @typeInfo(member) != .@"struct") continue;
            for (std.meta.declarations(member)) |inner| {
                // Handlers are given when they are compiled.
                if (!std.mem.startsWith(u8, inner, "on_")) _ = &@field(member, inner);
            }
        }
    }
}
