//! The sets of the five devices and of the base's two VMs. The signatures are promises to programs.

use crate::instruction_set;

instruction_set! {
    /// A character console: text out, lines in, in order.
    pub mod console = "cascade.console" @ 1 {
        /// Writes `text`, in order. Nothing is added: a new line is a `\n` in the text.
        1 write = Write { text: Str };
        /// Waits for a line and gives it without its newline. Bytes that are not UTF-8 arrive as U+FFFD.
        /// At the end of the input it fails with status 6 (peer gone), now and from then on.
        2 read_line = ReadLine -> (line: Str);
        /// The terminal's size in characters; 80 x 25 where it is not known.
        3 size = Size -> (columns: i32, rows: i32);
        events {
            /// A line arrived; without its newline.
            1 input = INPUT { text: Str };
        }
    }
}

instruction_set! {
    /// A screen with a back buffer. Colours are 0xRRGGBB, and their top byte is ignored; what lies
    /// outside the screen is clipped. Sizes that are zero or negative draw nothing.
    pub mod display = "cascade.display" @ 1 {
        /// The screen's size in pixels; 640 x 480 unless asked otherwise.
        @grid(Size)
        1 size = Size -> (w: i32, h: i32);
        /// Fills the whole back buffer.
        2 clear = Clear { color: i32 } in within;
        /// Sets one pixel.
        @grid(Store { mask: 0x00ff_ffff })
        3 set_pixel = SetPixel { x: i32, y: i32, color: i32 } in within [x] [y];
        /// Fills a rectangle.
        4 fill_rect = FillRect { x: i32, y: i32, w: i32, h: i32, color: i32 }
            in within [x, count w] [y, count h];
        /// Draws a line by Bresenham's algorithm; both ends are drawn.
        5 line = Line { x0: i32, y0: i32, x1: i32, y1: i32, color: i32 }
            in within [x0, to x1] [y0, to y1];
        /// Draws `text` with its left top corner at (x, y), in the fixed-width font of 7 x 16 pixels a
        /// character, on what is there already. A `\n` starts a new line below, at `x`.
        6 text = Text { x: i32, y: i32, text: Str, color: i32 }
            in within [x, columns text * 7] [y, lines text * 16];
        /// Copies `w * h` little-endian 32-bit pixels, row by row, to (x, y). A buffer of another length
        /// is a bad operand (status 1).
        7 blit = Blit { x: i32, y: i32, w: i32, h: i32, pixels: Buf }
            in within [x, count w] [y, count h];
        /// The back buffer becomes the screen (and stays as it is). Frames are numbered from 1.
        8 present = Present -> (frame: i64);
        /// The colour of a pixel of the back buffer; outside the screen status 2 (out of range).
        @grid(Load)
        9 get_pixel = GetPixel { x: i32, y: i32 } -> (color: i32) in within [x] [y];
        events {
            /// The screen has a new size; the back buffer is cleared to black.
            1 resized = RESIZED { w: i32, h: i32 };
        }
    }
}

instruction_set! {
    /// A keyboard. Codes are USB HID usages; characters follow the US layout with shift and caps lock.
    pub mod keyboard = "cascade.keyboard" @ 1 {
        /// Waits for the next key to go down or up. `char` is 0 if the key gives none, and for keys going up.
        1 read = Read -> (code: i32, down: bool, char: i32);
        events {
            /// A key went down or up. Keys are kept for `read` only while nobody listens.
            1 key = KEY { code: i32, down: bool, char: i32 };
        }
    }
}

instruction_set! {
    /// A disk of numbered sectors. Requests of one channel are executed in order as far as it can be
    /// observed; those of several channels are in flight at the same time.
    pub mod disk = "cascade.disk" @ 1 {
        /// Bytes a sector, and how many sectors there are.
        1 info = Info -> (sector_bytes: i32, sectors: i64);
        /// Reads whole sectors; outside the disk status 2 (out of range).
        2 read = Read { lba: i64, sectors: i32 } -> (data: Buf) in sectors [lba, count sectors];
        /// Writes whole sectors: accepted, and maybe still cached, when it answers.
        3 write = Write { lba: i64, data: Buf } -> () in sectors [lba, bytes data / 512];
        /// Answers when everything accepted before is on the medium.
        4 flush = Flush -> ();
        /// The sectors are of no further use; they read as zeros.
        5 discard = Discard { lba: i64, sectors: i64 } -> () in sectors [lba, count sectors];
    }
}

instruction_set! {
    /// Time and timers, in nanoseconds.
    pub mod clock = "cascade.clock" @ 1 {
        /// Time since the system started; never goes back.
        1 monotonic = Monotonic -> (now: i64);
        /// Time since 1970-01-01 UTC.
        2 wall = Wall -> (now: i64);
        /// Answers when `ns` have passed; at once if that is zero or negative.
        3 sleep = Sleep { ns: i64 } -> ();
        /// Starts a timer that ticks every `ns`, first after `ns`; at least 1, else status 2 (out of
        /// range). It stops at its first tick that its VM does not handle.
        4 every = Every { ns: i64 } -> (timer: i32);
        /// Stops a timer of one's own. Status 2 (out of range) if it does not run.
        5 cancel = Cancel { timer: i32 } -> ();
        events {
            /// A timer's tick, for the VM that started it. Every tick is raised, in order of time; `now`
            /// is the time that it was due.
            1 tick = TICK { timer: i32, now: i64 };
        }
    }
}

instruction_set! {
    /// Who is there. A VM sees what its manifest lets it see (`sees`), and itself; what it does not see is
    /// not there for it: not in a list, not in an event, not by its name.
    pub mod directory = "cascade.directory" @ 1 {
        /// Announces the caller under a further name; the index tells it from others of that name.
        /// `attributes` are `key=value` pairs, separated by commas, or nothing. Status 1 (bad operand) if either
        /// is malformed, 8 (quota) beyond 16 names. A VM is under its own name from its start.
        1 announce = Announce { name: Str, attributes: Str } -> (index: i32);
        /// Takes back all that the caller has announced. It stays under its own name.
        2 withdraw = Withdraw -> ();
        /// A capability to a visible VM that executes the set `isa`: of name `name`, or of any name if that is
        /// empty; of index `index`, or the first that fits if that is negative. A `name` may end in attributes
        /// that it must have, as in `echo?room=kitchen`. What comes can do what the caller's grants allow of
        /// the set, and everything with a VM that the caller has spawned; it is null if there is no such VM, or nothing of
        /// it is granted.
        3 lookup = Lookup { isa: Str, name: Str, index: i32 } -> (found: OptAny);
        /// The visible VMs that execute the set `isa`, or any if that is empty; it may end in attributes as
        /// in `demo.echo@1?room=kitchen`. One line a name: `name/index isa key=value,..`.
        4 list = List { isa: Str } -> (vms: Str);
        /// From now on `arrived` and `left` are raised at the caller for visible VMs that execute the set `isa`,
        /// or for all if that is empty. Status 8 (quota) beyond 16 sets.
        5 subscribe = Subscribe { isa: Str } -> ();
        events {
            /// A VM has announced itself, or was restarted.
            1 arrived = ARRIVED { name: Str, index: i32, isa: Str };
            /// A name is there no more.
            2 left = LEFT { name: Str, index: i32, isa: Str };
        }
    }
}

instruction_set! {
    /// VMs come and go. For supervisors and shells: without a manifest no program is granted it.
    pub mod system = "cascade.system" @ 1 {
        /// Starts a VM from the bytes of a module (`.ilb`) under this name, or the module's own if it is empty.
        /// It is granted what `grants` lists, as far as the caller was granted it:
        /// `display=fill_rect,present;disk=read;clock`. Its memory counts as the caller's too, and it ends
        /// when the caller ends. Answers when it runs. Status 1 (bad operand): these bytes are no module, the name no
        /// name or the grants no grants; 4 (not permitted): the caller does not have what it would be granted,
        /// or it wants more; 8 (quota): there is no room for it. The log says more.
        1 spawn = Spawn { module: Buf, name: Str, grants: Str } -> (vm: i32);
        /// Ends a VM that the caller sees. Status 6 (peer gone) if there is no such VM, 4 (not permitted) if it is
        /// a part of the base.
        2 stop = Stop { vm: i32 } -> ();
        /// The VMs that the caller sees, one line each: `number name/index isa: what it is doing`.
        3 list = List -> (vms: Str);
    }
}
