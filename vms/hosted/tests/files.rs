//! Folders of the parent OS and files in memory are the same to programs: every call answers the same, whatever came
//! before; and no path leaves a granted folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use basevm::buf::{Account, Buf};
use tempfile::TempDir;
use vm_hosted::HostFiles;
use vm_wasi::abi::DIRENT_BYTES;
use vm_wasi::{Action, Answer, At, Call, Errno, Files, How, Memory, Node, Times};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Names that meet often, and every form of path.
const PATHS: &[&str] = &[
    "a",
    "b",
    "c",
    "a/b",
    "a/c",
    "b/a",
    "a/b/c",
    "a/",
    "b/",
    "a/b/",
    "./a",
    "a/.",
    "a/..",
    "..",
    ".",
    "a/../b",
    "../a",
    "a/../../b",
    "b/./a",
    "l",
    "l/",
    "l/a",
    "m",
    "m/b",
    "a//b",
    "/a",
    "",
    "l/..",
    "l/../a",
    "n\0n",
    "m/../..",
];
const TARGETS: &[&str] = &["a", "b", "..", "../..", "a/b", "l", "/a", "m", ".", "../b", "", "none"];

fn buf(account: &Arc<Account>, bytes: &[u8]) -> Buf {
    let mut buf = Buf::new(account, bytes.len()).unwrap();
    buf.copy_from_slice(bytes);
    buf
}

/// A call, by its recipe: each storage gets buffers of its own.
fn call(random: &mut Random, account: &Arc<Account>, nodes: u32) -> Call {
    // Mostly from the granted folder; at times from what may be a file, or closed.
    let node =
        |random: &mut Random| if random.below(2) == 0 { Node(0) } else { Node(random.below(nodes as usize) as u32) };
    let at = |random: &mut Random| At {
        dir: node(random),
        path: buf(account, random.one(PATHS).as_bytes()),
        follow: random.below(2) == 0,
    };
    let bit = |random: &mut Random| random.below(2) == 0;
    let data = |random: &mut Random| buf(account, &vec![b'x'; random.below(40)]);
    let times = Times { access: None, change: Some(5_000_000_007) };
    let action = match random.below(24) {
        0..=4 => {
            let (read, write, create) = (bit(random), bit(random), bit(random));
            let (directory, truncate) = (!create && random.below(6) == 0, write && random.below(4) == 0);
            let write = write && !directory;
            let how = How { read, write, create, directory, exclusive: random.below(4) == 0, truncate };
            Action::Open { at: at(random), how: How { truncate: truncate && write, ..how } }
        }
        5 => Action::Close { node: node(random) },
        6 => Action::Read { node: node(random), offset: random.below(50) as u64, data: data(random) },
        7 | 8 => {
            let offset = (random.below(3) > 0).then(|| random.below(50) as u64);
            Action::Write { node: node(random), offset, data: data(random), sync: false }
        }
        9 => Action::Stat { node: node(random) },
        10 | 11 => Action::StatAt { at: at(random) },
        12 => Action::SetSize { node: node(random), size: random.below(100) as u64 },
        13 => Action::Allocate { node: node(random), end: random.below(100) as u64 },
        14 => Action::SetTimesAt { at: at(random), times },
        15 => Action::Readdir { node: node(random), cookie: random.below(3) as u64, data: buf(account, &[0; 2048]) },
        16 | 17 => Action::Mkdir { at: at(random) },
        18 => Action::Unlink { at: at(random) },
        19 => Action::Rmdir { at: at(random) },
        20 => Action::Rename { from: at(random), to: at(random) },
        21 => Action::Link { from: at(random), to: at(random) },
        22 => Action::Symlink { target: buf(account, random.one(TARGETS).as_bytes()), at: at(random) },
        _ => Action::Readlink { at: at(random), data: buf(account, &[0; 8]) },
    };
    Call { action, now: 1 }
}

/// What a call answers, without what depends on the storage: numbers of inodes, and times that were not set.
fn outcome(files: &mut dyn Files, mut call: Call) -> (Result<String, Errno>, Vec<u8>) {
    let result = files.run(&mut call);
    let is_list = matches!(call.action, Action::Readdir { .. });
    let mut data = match (&result, call.action.into_data()) {
        (Ok(Answer::Count(count)), Some(data)) => data[..*count].to_vec(),
        _ => Vec::new(),
    };
    let mut at = 0;
    while is_list && at + DIRENT_BYTES <= data.len() {
        data[at + 8..at + 16].fill(0);
        at += DIRENT_BYTES + u32::from_le_bytes(data[at + 16..at + 20].try_into().unwrap()) as usize;
    }
    let said = result.map(|answer| match answer {
        Answer::Stat(stat) => {
            let set = (stat.change == 5_000_000_007).then_some(stat.change);
            format!("{:?} {} links {} bytes {set:?}", stat.kind, stat.links, stat.size)
        }
        other => format!("{other:?}"),
    });
    (said, data)
}

fn storages(folders: &[TempDir; 2]) -> [(&'static str, Box<dyn Files>); 3] {
    let mut memory = Memory::new();
    memory.add_root(1 << 20, &[]).unwrap();
    let (mut host, mut names) = (HostFiles::new(), HostFiles::without_openat2());
    host.add_root(&folders[0].path().join("granted")).unwrap();
    names.add_root(&folders[1].path().join("granted")).unwrap();
    [("memory", Box::new(memory)), ("folder", Box::new(host)), ("folder by names", Box::new(names))]
}

fn folders() -> [TempDir; 2] {
    [0, 1].map(|_| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("granted")).unwrap();
        fs::write(folder.path().join("a"), "outside").unwrap();
        folder
    })
}

/// Nothing beside the granted folder has changed.
fn check_outside(folder: &Path) {
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "outside");
}

#[test]
fn every_storage_answers_every_call_the_same() {
    let account = Account::new(1 << 24);
    let (mut succeeded, mut failed) = (0, 0);
    for seed in 1..=150 {
        let folders = folders();
        let mut storages = storages(&folders);
        let mut story = Vec::new();
        for step in 0..120 {
            let make =
                || call(&mut Random(seed * 0x9e37_79b9_7f4a_7c15 + step * 0xbf58_476d_1ce4_e5b9 + 1), &account, 12);
            story.push(format!("{:?}", make().action));
            let answers: Vec<_> =
                storages.iter_mut().map(|(name, files)| (*name, outcome(&mut **files, make()))).collect();
            let expected = &answers[0].1;
            for (name, answer) in &answers {
                let last = story[story.len().saturating_sub(12)..].join("\n  ");
                assert_eq!(answer, expected, "{name} and memory differ, seed {seed}, step {step}:\n  {last}");
            }
            match expected.0 {
                Ok(_) => succeeded += 1,
                Err(_) => failed += 1,
            }
        }
        folders.iter().for_each(|folder| check_outside(folder.path()));
        storages.iter_mut().for_each(|(_, files)| files.reset());
    }
    assert!(succeeded > 3000 && failed > 3000, "both are tested: {succeeded} succeeded, {failed} failed");
    assert_eq!(account.used(), 0);
}

/// Links that stand in a granted folder already are followed within it, and no further.
#[test]
fn no_link_of_the_parent_os_leads_out() {
    for names_only in [false, true] {
        let [folder, _] = folders();
        let inside = folder.path().join("granted");
        fs::create_dir(inside.join("d")).unwrap();
        fs::write(inside.join("d/file"), "in").unwrap();
        let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, inside.join(name)).unwrap();
        for (target, name) in [
            ("/etc/passwd", "absolute"),
            ("/", "root"),
            ("../a", "up"),
            ("..", "parent"),
            ("d/../../a", "around"),
            ("/proc/self/root", "magic"),
            ("self", "self"),
            ("d/file", "good"),
        ] {
            link(target, name);
        }
        let mut files = if names_only { HostFiles::without_openat2() } else { HostFiles::new() };
        files.add_root(&inside).unwrap();
        let account = Account::new(1 << 20);
        let mut open = |path: &str, how: How| {
            let at = At { dir: Node(0), path: buf(&account, path.as_bytes()), follow: true };
            files.run(&mut Call { action: Action::Open { at, how }, now: 0 })
        };
        let read = How { read: true, ..How::default() };
        assert!(open("good", read).is_ok());
        for path in ["absolute", "up", "around", "parent", "root", "root/etc/passwd", "parent/a", "magic", "magic/etc"]
        {
            assert_eq!(open(path, read), Err(Errno::PERM), "{path}");
            let create = How { write: true, create: true, truncate: true, ..How::default() };
            assert_eq!(open(path, create), Err(Errno::PERM), "{path}");
        }
        for path in ["parent/new", "root/tmp/new", "d/../../new"] {
            assert_eq!(open(path, How { write: true, create: true, ..How::default() }), Err(Errno::PERM), "{path}");
        }
        assert_eq!(open("self", read), Err(Errno::LOOP));
        check_outside(folder.path());
    }
}

/// A pipe would block who reads it, a socket is none of a program's files.
#[test]
fn only_files_and_folders_are_opened() {
    let [folder, _] = folders();
    let inside = folder.path().join("granted");
    rustix::fs::mknodat(rustix::fs::CWD, inside.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let mut files = HostFiles::new();
    files.add_root(&inside).unwrap();
    let account = Account::new(1 << 20);
    for (read, write) in [(true, false), (false, true), (true, true)] {
        let at = At { dir: Node(0), path: buf(&account, b"pipe"), follow: true };
        let action = Action::Open { at, how: How { read, write, ..How::default() } };
        assert_eq!(files.run(&mut Call { action, now: 0 }), Err(Errno::NOTSUP));
    }
}
