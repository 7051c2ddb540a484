//! The sets of the devices, of the WASI subsystem and of the base's two VMs. The signatures are promises to programs.

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
        /// Writes bytes as they are, in order with `write`.
        4 write_bytes = WriteBytes { bytes: Buf };
        /// Waits for input and gives what there is, untranslated, `most` bytes at most (and never more than 65536):
        /// the first `count` of `bytes`. A `count` of 0 is the end of the input, now and from then on. Status 2 (out of
        /// range) if `most` is not positive.
        5 read = Read { most: i32 } -> (count: i32, bytes: Buf);
        /// Writes bytes of messages (of errors, of progress), in order with `write`: to where they are kept apart from output, a
        /// computer's standard error, else to the same console.
        6 write_message = WriteMessage { bytes: Buf };
        /// Waits until `read` would answer at once, `ns` nanoseconds at most, or for as long as it takes if that is negative. Says
        /// whether it would, and how many bytes there are at least: 0 if the input has ended.
        7 ready = Ready { ns: i64 } -> (ready: bool, bytes: i32);
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
    /// Randomness: from the machine, or from a seed, so that a run can be repeated.
    pub mod entropy = "cascade.entropy" @ 1 {
        /// `n` random bytes, 65536 at most; status 2 (out of range) beyond, 11 (not supported) where the machine has
        /// no source of randomness and no seed was given.
        1 fill = Fill { n: i32 } -> (bytes: Buf);
    }
}

instruction_set! {
    /// What a program for WASI preview 1 finds: its arguments, its environment, and files in the directories that it
    /// was granted. Each client has its own, and its own file descriptors; 0 to 2 are its standard streams, which are
    /// the console's matter until `renumber` puts a file there. Errors are preview 1's error numbers, 0 for success, in the
    /// first result. Numbers, flags and rights, and the layout of what comes as bytes, are preview 1's. A path is
    /// UTF-8, and relative to the directory `dir`, which it cannot leave. When this VM is restarted, descriptors are gone and files stay.
    pub mod wasi = "cascade.wasi" @ 1 {
        /// The arguments, the program's name first: each ends with a zero byte.
        1 args = Args -> (data: Buf);
        /// The environment: `NAME=value`, each ended by a zero byte.
        2 environ = Environ -> (data: Buf);
        /// The guest's name of a granted directory; error 8 (badf) at the first descriptor from 3 on that is none.
        3 prestat = Prestat { fd: i32 } -> (error: i32, name: Buf);
        /// Opens a file or a directory. `follow`: 1 if a symbolic link at the path's end is followed. `flags`: create 1,
        /// directory 2, exclusive 4, truncate 8. `rights` say whether it is read and written; the others come from the
        /// directory, and so do those that a directory hands on, whatever `inheriting` says. `fdflags`: append 1, and those
        /// for synchronous writing.
        4 open = Open { dir: i32, follow: i32, path: Buf, flags: i32, rights: i64, inheriting: i64, fdflags: i32 }
            -> (error: i32, fd: i32);
        /// Closes a descriptor.
        5 close = Close { fd: i32 } -> (error: i32);
        /// Reads from `offset` on, or from the descriptor's own position, which moves, if that is -1: the first `count`
        /// bytes of `data`. At most 1 MiB is read at a time; a `count` of 0 is the end of the file.
        6 read = Read { fd: i32, bytes: i32, offset: i64 } -> (error: i32, count: i32, data: Buf);
        /// Writes at `offset`, or at the descriptor's own position, which moves, if that is -1.
        7 write = Write { fd: i32, data: Buf, offset: i64 } -> (error: i32, count: i32);
        /// Moves a descriptor's position: from the start (0), from where it is (1), from the end (2).
        8 seek = Seek { fd: i32, offset: i64, whence: i32 } -> (error: i32, position: i64);
        /// A `filestat`, 64 bytes.
        9 stat = Stat { fd: i32 } -> (error: i32, data: Buf);
        /// The `filestat` of a path.
        10 stat_at = StatAt { dir: i32, follow: i32, path: Buf } -> (error: i32, data: Buf);
        /// A `fdstat`, 24 bytes.
        11 fdstat = Fdstat { fd: i32 } -> (error: i32, data: Buf);
        /// Sets a descriptor's flags.
        12 set_flags = SetFlags { fd: i32, flags: i32 } -> (error: i32);
        /// Takes rights from a descriptor.
        13 set_rights = SetRights { fd: i32, rights: i64, inheriting: i64 } -> (error: i32);
        /// Cuts a file, or lengthens it with zeros.
        14 set_size = SetSize { fd: i32, size: i64 } -> (error: i32);
        /// Makes sure that a file reaches to `offset + bytes`.
        15 allocate = Allocate { fd: i32, offset: i64, bytes: i64 } -> (error: i32);
        /// Sets times in nanoseconds: `flags`: last access 1, to now 2, last change 4, to now 8.
        16 set_times = SetTimes { fd: i32, access: i64, change: i64, flags: i32 } -> (error: i32);
        /// The same of a path.
        17 set_times_at = SetTimesAt { dir: i32, follow: i32, path: Buf, access: i64, change: i64, flags: i32 }
            -> (error: i32);
        /// Puts what was written onto the medium.
        18 sync = Sync { fd: i32 } -> (error: i32);
        /// Entries of a directory, `dirent` after `dirent`, from `cookie` on: the first `count` of `data`, `bytes` of which
        /// are filled as far as there are entries; the last may be cut.
        19 readdir = Readdir { fd: i32, bytes: i32, cookie: i64 } -> (error: i32, count: i32, data: Buf);
        /// Makes a directory.
        20 mkdir = Mkdir { dir: i32, path: Buf } -> (error: i32);
        /// Takes a file or a link away.
        21 unlink = Unlink { dir: i32, path: Buf } -> (error: i32);
        /// Takes an empty directory away.
        22 rmdir = Rmdir { dir: i32, path: Buf } -> (error: i32);
        /// Renames, within one granted directory's storage.
        23 rename = Rename { dir: i32, path: Buf, to: i32, to_path: Buf } -> (error: i32);
        /// Gives a file a further name.
        24 link = Link { dir: i32, follow: i32, path: Buf, to: i32, to_path: Buf } -> (error: i32);
        /// Makes a symbolic link, which cannot be absolute.
        25 symlink = Symlink { target: Buf, dir: i32, path: Buf } -> (error: i32);
        /// What a symbolic link says: the first `count` of `data`, at most `bytes`.
        26 readlink = Readlink { dir: i32, path: Buf, bytes: i32 } -> (error: i32, count: i32, data: Buf);
        /// Moves a descriptor to another number, which is closed before. A granted directory cannot be moved.
        27 renumber = Renumber { from: i32, to: i32 } -> (error: i32);
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
