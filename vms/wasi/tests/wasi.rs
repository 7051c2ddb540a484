//! The WASI VM through its packets: what is granted, descriptors, rights, quotas, hostile operands.

use basevm::buf::Buf;
use basevm::service::{Service, VmId};
use il::packet::Builder;
use il::trap::Status;
use isa::Attachment;
use isa::wasi::Op;
use vm_testing::Bench;
use vm_wasi::abi::{oflags, rights};
use vm_wasi::{Direct, ENTRY_BYTES, Errno, Granted, GrantedDir, MAX_DESCRIPTORS, Memory, Node, Seed, Wasi};

const QUOTA_BYTES: u64 = 4096;
const ALL: i64 = -1;
const CREATE: i32 = oflags::CREATE as i32;

/// What an instruction answered: its error, its numbers, its bytes.
type Said = (i32, Vec<i64>, Vec<u8>);

struct Desk(Bench<Wasi>);

impl Desk {
    /// One client, of mark 1, with a directory, and the same for reading only.
    fn new() -> Desk {
        let mut memory = Memory::new();
        let seeds = [Seed { path: "sub/file", bytes: Some(b"planted") }, Seed { path: "empty", bytes: None }];
        let root = memory.add_root(QUOTA_BYTES, &seeds).unwrap();
        let dir = |name: &str, read_only| GrantedDir { name: name.into(), tree: 0, root, read_only };
        let granted = Granted {
            args: b"prog\0one\0".to_vec(),
            environ: b"A=b\0".to_vec(),
            dirs: vec![dir("/data", false), dir("/fixed", true)],
        };
        let mut bench = Bench::new(Wasi::new(vec![(1, granted)], vec![Box::new(Direct::new(memory))]));
        bench.host.marks.push((VmId(7), 1));
        Desk(bench)
    }

    fn buf(&self, bytes: impl AsRef<[u8]>) -> Buf {
        self.0.host.filled(bytes.as_ref())
    }

    fn raw(&mut self, op: Op<'_>, bufs: Vec<Buf>) -> Result<Said, Status> {
        let reply = self.0.now(|packet: &mut Builder, tag| op.encode(packet, tag), bufs)?;
        let data = reply.attachments.into_iter().next().map(|data| data.buf().unwrap().to_vec()).unwrap_or_default();
        let words: Vec<i64> = reply.words.iter().map(|word| *word as i64).collect();
        Ok((words[0] as i32, words, data))
    }

    fn say(&mut self, op: Op<'_>, bufs: Vec<Buf>) -> Said {
        self.raw(op, bufs).expect("an error number, not a status")
    }

    fn error(&mut self, op: Op<'_>, paths: &[&str]) -> i32 {
        let bufs = paths.iter().map(|path| self.buf(path)).collect();
        self.say(op, bufs).0
    }

    fn open_with(&mut self, dir: i32, path: &str, flags: i32, rights: i64, fdflags: i32) -> Result<i32, i32> {
        let path = self.buf(path);
        let op = Op::Open { dir, follow: 1, path: Attachment(0), flags, rights, inheriting: ALL, fdflags };
        match self.say(op, vec![path]) {
            (0, words, _) => Ok(words[1] as i32),
            (error, ..) => Err(error),
        }
    }

    fn open(&mut self, path: &str, flags: i32) -> Result<i32, i32> {
        self.open_with(3, path, flags, ALL, 0)
    }

    fn write(&mut self, fd: i32, bytes: &str, offset: i64) -> (i32, i64) {
        let data = self.buf(bytes);
        let (error, words, _) = self.say(Op::Write { fd, data: Attachment(0), offset }, vec![data]);
        (error, words[1])
    }

    fn read(&mut self, fd: i32, bytes: i32, offset: i64) -> (i32, String) {
        let (error, words, data) = self.say(Op::Read { fd, bytes, offset }, vec![]);
        (error, String::from_utf8(data[..words[1] as usize].to_vec()).unwrap())
    }

    fn names(&mut self, fd: i32) -> Vec<String> {
        let (error, words, data) = self.say(Op::Readdir { fd, bytes: 4096, cookie: 0 }, vec![]);
        assert_eq!(error, 0);
        let (mut at, mut names) = (0, vec![]);
        while at < words[1] as usize {
            let length = u32::from_le_bytes(data[at + 16..at + 20].try_into().unwrap()) as usize;
            names.push(String::from_utf8(data[at + 24..at + 24 + length].to_vec()).unwrap());
            at += 24 + length;
        }
        names
    }
}

fn number(errno: Errno) -> i32 {
    i32::from(errno.0)
}

#[test]
fn a_client_finds_what_it_was_granted_and_a_stranger_nothing() {
    let mut desk = Desk::new();
    assert_eq!(desk.say(Op::Args, vec![]).2, b"prog\0one\0");
    assert_eq!(desk.say(Op::Environ, vec![]).2, b"A=b\0");
    assert_eq!(desk.say(Op::Prestat { fd: 3 }, vec![]).2, b"/data");
    assert_eq!(desk.say(Op::Prestat { fd: 5 }, vec![]).0, number(Errno::BADF));
    desk.0.host.caller = VmId(8);
    assert!(desk.say(Op::Args, vec![]).2.is_empty() && desk.say(Op::Environ, vec![]).2.is_empty());
    assert_eq!(desk.say(Op::Prestat { fd: 3 }, vec![]).0, number(Errno::BADF));
    assert_eq!(desk.say(Op::Prestat { fd: 3 }, vec![]).0, number(Errno::BADF));
    assert_eq!(desk.open("sub/file", 0), Err(number(Errno::BADF)));
    let [hint] = &desk.0.host.log[..] else { panic!("told once: {:?}", desk.0.host.log) };
    assert!(hint.contains("--dir FOLDER"), "{hint}");
}

#[test]
fn a_file_is_made_written_read_and_taken_away() {
    let mut desk = Desk::new();
    let fd = desk.open("new", CREATE).unwrap();
    assert_eq!(desk.write(fd, "hello", -1), (0, 5));
    assert_eq!(desk.write(fd, "world", -1), (0, 5));
    assert_eq!(desk.read(fd, 100, -1), (0, "".into()), "the position is at the end");
    assert_eq!(desk.say(Op::Seek { fd, offset: -7, whence: 2 }, vec![]).1, [0, 3]);
    assert_eq!(desk.read(fd, 4, -1), (0, "lowo".into()));
    assert_eq!(desk.read(fd, 100, 1), (0, "elloworld".into()), "elsewhere, without moving");
    assert_eq!(desk.read(fd, 100, -1), (0, "rld".into()));
    let append = desk.open_with(3, "new", 0, ALL, 1).unwrap();
    assert_eq!(desk.write(append, "!", -1), (0, 1));
    assert_eq!(desk.say(Op::Seek { fd: append, offset: 0, whence: 1 }, vec![]).1, [0, 11]);
    assert_eq!(desk.say(Op::SetSize { fd, size: 5 }, vec![]).0, 0);
    assert_eq!(desk.say(Op::Stat { fd }, vec![]).2[32], 5);
    assert_eq!(desk.names(3), [".", "..", "empty", "new", "sub"]);
    assert_eq!(desk.error(Op::Unlink { dir: 3, path: Attachment(0) }, &["new"]), 0);
    assert_eq!(desk.read(fd, 100, 0), (0, "hello".into()), "it is there until it is closed");
    assert_eq!((desk.say(Op::Close { fd }, vec![]).0, desk.say(Op::Close { fd }, vec![]).0), (0, number(Errno::BADF)));
    assert_eq!(desk.names(3), [".", "..", "empty", "sub"]);
    let planted = desk.open("sub/file", 0).unwrap();
    assert_eq!((planted, desk.read(planted, 100, -1)), (fd, (0, "planted".into())), "the lowest number is free again");
}

#[test]
fn no_path_leaves_its_directory() {
    let mut desk = Desk::new();
    let long = "x".repeat(300);
    let deep = "d/".repeat(3000);
    let cases = [
        ("..", Errno::PERM),
        ("../data", Errno::PERM),
        ("sub/../..", Errno::PERM),
        ("/sub", Errno::PERM),
        ("sub\0", Errno::INVAL),
        ("", Errno::NOENT),
        (&long, Errno::NAMETOOLONG),
        (&deep, Errno::NAMETOOLONG),
        ("sub/file/..", Errno::NOTDIR),
    ];
    for (path, error) in cases {
        assert_eq!(desk.open(path, 0), Err(number(error)), "{path:.20}");
        assert_ne!(desk.error(Op::Mkdir { dir: 3, path: Attachment(0) }, &[path]), 0, "{path:.20}");
        assert_ne!(desk.error(Op::Unlink { dir: 3, path: Attachment(0) }, &[path]), 0, "{path:.20}");
    }
    let path = desk.buf([b'a', 0xff]);
    assert_eq!(desk.say(Op::Mkdir { dir: 3, path: Attachment(0) }, vec![path]).0, number(Errno::ILSEQ));
    let sub = desk.open("sub", 2).unwrap();
    assert_eq!(desk.open_with(sub, "../empty", 0, 2, 0), Err(number(Errno::PERM)), "a directory is an end, too");
    assert_eq!(desk.error(Op::Symlink { target: Attachment(0), dir: 3, path: Attachment(1) }, &["/etc", "l"]), 63);
    assert_eq!(desk.error(Op::Symlink { target: Attachment(0), dir: 3, path: Attachment(1) }, &["../etc", "l"]), 0);
    assert_eq!(desk.open("l", 0), Err(number(Errno::PERM)));
    assert_eq!(desk.error(Op::Symlink { target: Attachment(0), dir: 3, path: Attachment(1) }, &["m", "m"]), 0);
    assert_eq!(desk.open("m", 0), Err(number(Errno::LOOP)));
}

#[test]
fn rights_are_only_taken_away() {
    let mut desk = Desk::new();
    let read = rights::FD_READ as i64;
    let fd = desk.open_with(3, "sub/file", 0, read, 0).unwrap();
    assert_eq!(desk.write(fd, "x", -1).0, number(Errno::BADF));
    assert_eq!(desk.say(Op::SetSize { fd, size: 0 }, vec![]).0, number(Errno::BADF));
    assert_eq!(
        desk.say(Op::Seek { fd, offset: 0, whence: 0 }, vec![]).0,
        0,
        "what only reading needs need not be asked for"
    );
    assert_eq!(desk.say(Op::SetRights { fd, rights: read, inheriting: 0 }, vec![]).0, 0);
    assert_eq!(desk.say(Op::Seek { fd, offset: 0, whence: 0 }, vec![]).0, number(Errno::NOTCAPABLE));
    assert_eq!(desk.say(Op::SetRights { fd, rights: ALL, inheriting: 0 }, vec![]).0, number(Errno::NOTCAPABLE));
    assert_eq!(desk.say(Op::SetRights { fd, rights: 0, inheriting: 0 }, vec![]).0, 0);
    assert_eq!(desk.read(fd, 1, -1).0, number(Errno::BADF));
    let (_, _, fdstat) = desk.say(Op::Fdstat { fd }, vec![]);
    assert_eq!(fdstat, [&[4][..], &[0; 23]].concat());
}

/// As other runtimes have it: what a program asks for decides whether it reads and writes, and nothing else.
#[test]
fn few_rights_are_enough() {
    let mut desk = Desk::new();
    let (read, write) = (rights::FD_READ as i64, rights::FD_WRITE as i64);
    let sub = desk.open_with(3, "sub", 2, 0, 0).unwrap();
    assert_eq!(desk.names(sub), [".", "..", "file"]);
    let fd = desk.open_with(sub, "new", CREATE, read | write, 0).unwrap();
    assert_eq!(desk.write(fd, "12345", -1), (0, 5));
    assert_eq!(desk.say(Op::SetSize { fd, size: 3 }, vec![]).0, 0);
    assert_eq!(desk.say(Op::Stat { fd }, vec![]).2[32], 3);
    let only_write = desk.open_with(sub, "new", 0, write, 0).unwrap();
    assert_eq!(desk.read(only_write, 1, 0).0, number(Errno::BADF));
    let (_, _, fdstat) = desk.say(Op::Fdstat { fd: only_write }, vec![]);
    let base = u64::from_le_bytes(fdstat[8..16].try_into().unwrap());
    assert_eq!(base, rights::FILE & !rights::FD_READ);
    // A directory that has lost a right hands it on no more.
    let kept = (rights::DIRECTORY & !rights::PATH_FILESTAT_SET_SIZE) as i64;
    assert_eq!(desk.say(Op::SetRights { fd: sub, rights: kept, inheriting: read }, vec![]).0, 0);
    let truncate = oflags::TRUNCATE as i32;
    assert_eq!(desk.open_with(sub, "new", truncate, read, 0), Err(number(Errno::NOTCAPABLE)));
    let fd = desk.open_with(sub, "new", 0, read | write, 0).unwrap();
    assert_eq!((desk.read(fd, 9, 0), desk.write(fd, "x", 0).0), ((0, "123".into()), number(Errno::BADF)));
}

#[test]
fn what_is_opened_is_what_was_asked_for() {
    let mut desk = Desk::new();
    let (inval, exist) = (Err(number(Errno::INVAL)), Err(number(Errno::EXIST)));
    for flags in [oflags::CREATE, oflags::EXCLUSIVE, oflags::TRUNCATE] {
        assert_eq!(desk.open_with(3, "sub", (flags | oflags::DIRECTORY) as i32, 0, 0), inval, "{flags}");
    }
    let link = Op::Symlink { target: Attachment(0), dir: 3, path: Attachment(1) };
    assert_eq!(desk.error(link, &["none", "link"]), 0);
    let new = (oflags::CREATE | oflags::EXCLUSIVE) as i32;
    assert_eq!(desk.open("link", new), exist, "a link that leads nowhere is no new file");
    assert_eq!(desk.open("sub/file", new), exist);
    assert_eq!(desk.open("sub", new), exist);
    assert_eq!(desk.names(3), [".", "..", "empty", "link", "sub"]);
    assert!(desk.open("link", CREATE).is_ok(), "but following it makes the file");
    assert_eq!(desk.names(3), [".", "..", "empty", "link", "none", "sub"]);
    let times = |flags| Op::SetTimesAt { dir: 3, follow: 0, path: Attachment(0), access: 1, change: 2, flags };
    assert_eq!(desk.error(times(16), &["sub"]), number(Errno::INVAL));
    assert_eq!(desk.error(times(3), &["sub"]), number(Errno::INVAL));
    assert_eq!(desk.error(times(5), &["sub"]), 0);
}

#[test]
fn a_directory_is_read_from_any_cookie() {
    let mut desk = Desk::new();
    let fd = desk.open("", 0).err().map(|_| desk.open(".", 2).unwrap()).unwrap();
    let mut at = |cookie| {
        let (error, words, data) = desk.say(Op::Readdir { fd, bytes: 4096, cookie }, vec![]);
        (error, u64::from_le_bytes(*data[..8].first_chunk().unwrap()), words[1])
    };
    assert_eq!(at(3), (0, 4, 24 + 3), "nothing was read before: the last entry, `sub`, is left");
    assert_eq!(at(4), (0, 0, 0));
    assert_eq!(at(-1), (0, 0, 0));
    assert_eq!((at(0).1, at(1).1), (1, 2));
}

#[test]
fn what_is_granted_for_reading_stays_as_it_is() {
    let mut desk = Desk::new();
    let rofs = number(Errno::ROFS);
    let read = (rights::FD_READ | rights::FD_SEEK) as i64;
    let fd = desk.open_with(4, "sub/file", 0, read, 0).unwrap();
    assert_eq!(desk.read(fd, 9, -1), (0, "planted".into()));
    assert_eq!(desk.open_with(4, "sub/file", 0, ALL, 0), Err(rofs));
    assert_eq!(desk.open_with(4, "new", CREATE, read, 0), Err(rofs));
    assert_eq!(desk.open_with(4, "sub/file", oflags::TRUNCATE as i32, read, 0), Err(rofs));
    let one = Attachment(0);
    for op in [Op::Mkdir { dir: 4, path: one }, Op::Unlink { dir: 4, path: one }, Op::Rmdir { dir: 4, path: one }] {
        assert_eq!(desk.error(op, &["sub"]), rofs, "{op:?}");
    }
    let two = Attachment(1);
    for op in [
        Op::Rename { dir: 4, path: one, to: 3, to_path: two },
        Op::Rename { dir: 3, path: one, to: 4, to_path: two },
        Op::Link { dir: 4, follow: 0, path: one, to: 3, to_path: two },
        Op::Symlink { target: one, dir: 4, path: two },
    ] {
        assert_eq!(desk.error(op, &["sub/file", "x"]), rofs, "{op:?}");
    }
    let times = Op::SetTimesAt { dir: 4, follow: 0, path: one, access: 0, change: 0, flags: 5 };
    assert_eq!(desk.error(times, &["sub"]), rofs);
    assert_eq!(desk.say(Op::SetTimes { fd: 4, access: 0, change: 0, flags: 5 }, vec![]).0, rofs);
    assert_eq!(desk.names(3), [".", "..", "empty", "sub"]);
}

#[test]
fn room_and_descriptors_are_bounded_and_given_back() {
    let mut desk = Desk::new();
    let fd = desk.open("big", CREATE).unwrap();
    let nospc = number(Errno::NOSPC);
    assert_eq!(desk.write(fd, &"x".repeat(5000), -1).0, nospc);
    assert_eq!(desk.write(fd, "x", i64::MAX).0, nospc);
    assert_eq!(desk.say(Op::SetSize { fd, size: i64::MAX }, vec![]).0, nospc);
    assert_eq!(desk.write(fd, &"x".repeat(3000), -1), (0, 3000));
    assert_eq!(desk.open(&"n".repeat(255), CREATE).map(|_| ()).and(desk.open(&"m".repeat(255), CREATE)), Err(nospc));
    assert_eq!(desk.say(Op::SetSize { fd, size: 0 }, vec![]).0, 0);
    let mut opened = 0;
    let refused = loop {
        match desk.open("sub/file", 0) {
            Ok(_) => opened += 1,
            Err(why) => break why,
        }
    };
    assert_eq!(refused, number(Errno::MFILE));
    assert!(opened > 900 && opened < MAX_DESCRIPTORS);
    // The client ends: with the next one, all that it had open is closed.
    desk.0.host.ended.push(VmId(7));
    desk.0.host.caller = VmId(9);
    desk.0.host.marks.push((VmId(9), 1));
    assert!(desk.open("sub/file", 0).is_ok_and(|fd| fd == 5));
    assert_eq!(desk.0.host.bytes_used(), 0);
}

#[test]
fn a_descriptor_moves_to_another_number() {
    let mut desk = Desk::new();
    let (a, b) = (desk.open("a", CREATE).unwrap(), desk.open("b", CREATE).unwrap());
    assert_eq!(desk.write(a, "from a", -1).0, 0);
    assert_eq!(desk.say(Op::Renumber { from: a, to: 1 }, vec![]).0, 0, "a stream's place");
    assert_eq!(desk.read(1, 9, 0), (0, "from a".into()));
    assert_eq!(desk.say(Op::Renumber { from: 1, to: b }, vec![]).0, 0);
    assert_eq!(desk.read(b, 9, 0), (0, "from a".into()));
    let badf = number(Errno::BADF);
    assert_eq!(desk.say(Op::Renumber { from: a, to: b }, vec![]).0, badf);
    assert_eq!(desk.say(Op::Renumber { from: b, to: 77 }, vec![]).0, badf);
    assert_eq!(desk.say(Op::Renumber { from: b, to: -1 }, vec![]).0, badf);
    assert_eq!(desk.say(Op::Renumber { from: b, to: 3 }, vec![]).0, number(Errno::NOTSUP), "what is granted stays");
}

/// A VM that follows one that was lost: files stay, descriptors are gone, and nothing is held for them.
#[test]
fn files_outlive_a_restart_and_descriptors_do_not() {
    let mut memory = Memory::new();
    memory.add_root(QUOTA_BYTES, &[]).unwrap();
    let before = memory.used_bytes(Node(0));
    let storage = std::sync::Arc::new(std::sync::Mutex::new(memory));
    let make = || {
        let dirs = vec![GrantedDir { name: "/d".into(), tree: 0, root: Node(0), read_only: false }];
        let granted = Granted { dirs, ..Granted::default() };
        let mut bench = Bench::new(Wasi::new(vec![(1, granted)], vec![Box::new(Direct::new(Shared(storage.clone())))]));
        bench.host.marks.push((VmId(7), 1));
        Desk(bench)
    };
    let mut first = make();
    let (kept, gone) = (first.open("kept", CREATE).unwrap(), first.open("gone", CREATE).unwrap());
    assert_eq!((first.write(kept, "kept", -1).0, first.write(gone, "gone", -1).0), (0, 0));
    assert_eq!(first.error(Op::Unlink { dir: 3, path: Attachment(0) }, &["gone"]), 0);
    core::mem::forget(first);
    let mut second = make();
    assert_eq!(second.read(kept, 9, 0).0, number(Errno::BADF));
    let again = second.open("kept", 0).unwrap();
    assert_eq!(second.read(again, 9, 0), (0, "kept".into()));
    assert_eq!(storage.lock().unwrap().used_bytes(Node(0)), before + 2 * ENTRY_BYTES + 4 + 4, "one file is left");
}

/// A directory that is only a copy says so once, when it is first changed.
#[test]
fn a_change_of_a_copy_is_told_once() {
    let mut memory = Memory::new();
    let root = memory.add_root(QUOTA_BYTES, &[Seed { path: "file", bytes: Some(b"text") }]).unwrap();
    memory.say_on_change(root, "a copy".into());
    let dirs = vec![GrantedDir { name: "/d".into(), tree: 0, root, read_only: false }];
    let granted = Granted { dirs, ..Granted::default() };
    let mut bench = Bench::new(Wasi::new(vec![(1, granted)], vec![Box::new(Direct::new(memory))]));
    bench.host.marks.push((VmId(7), 1));
    let mut desk = Desk(bench);
    let fd = desk.open("file", 0).unwrap();
    assert_eq!(desk.read(fd, 9, 0), (0, "text".into()));
    assert_eq!(desk.0.host.log, [""; 0]);
    assert_eq!(desk.write(fd, "T", 0).0, 0);
    assert_eq!((desk.write(fd, "e", 1).0, desk.open("new", CREATE).is_ok()), (0, true));
    assert_eq!(desk.0.host.log, ["a copy"]);
}

struct Shared(std::sync::Arc<std::sync::Mutex<Memory>>);

impl vm_wasi::Files for Shared {
    fn run(&mut self, call: &mut vm_wasi::Call) -> Result<vm_wasi::Answer, Errno> {
        self.0.lock().unwrap().run(call)
    }
    fn reset(&mut self) {
        self.0.lock().unwrap().reset();
    }
}

/// Any words in any instruction: an answer or a refusal, never a panic, and nothing is kept.
#[test]
fn hostile_operands_are_refused() {
    let mut desk = Desk::new();
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let numbers = [0, 1, 2, 3, 4, 5, 7, 64, u64::MAX, 1 << 31, 1 << 63, (1 << 31) - 1, i64::MAX as u64];
    let texts: [&[u8]; 8] = [b"a", b"sub", b"sub/file", b"..", b"", b"\xff", b"a/b/c/d/", &[b'x'; 5000]];
    let mut answered = 0;
    for _ in 0..20_000 {
        let instructions = &isa::wasi::SET.instructions;
        let instruction = &instructions[random() as usize % instructions.len()];
        let mut bufs: Vec<Option<basevm::attachment::Attachment>> = vec![];
        let words: Vec<u64> = instruction
            .params
            .iter()
            .map(|param| match param.ty {
                il::Type::Buf => {
                    bufs.push(Some(desk.buf(texts[random() as usize % texts.len()]).into()));
                    bufs.len() as u64 - 1
                }
                il::Type::I32 => u64::from(numbers[random() as usize % numbers.len()] as u32),
                _ => numbers[random() as usize % numbers.len()],
            })
            .collect();
        let request = basevm::service::Request {
            opcode: instruction.opcode,
            words: &words,
            attachments: &mut bufs,
            caller: VmId(7),
        };
        match desk.0.vm.execute(&mut desk.0.host, request) {
            basevm::service::Outcome::Done(reply) => answered += usize::from(!reply.words.is_empty()),
            basevm::service::Outcome::Fail(_) => {}
            basevm::service::Outcome::Later => panic!("files in memory answer at once"),
        }
    }
    assert!(answered > 15_000, "{answered}");
    assert_eq!(desk.0.host.bytes_used(), 0);
}
