//! What the plan grants VMs of the WASI subsystem: arguments, environment, directories.
//!
//! Invariants: nothing is there that the plan does not say; what it says is bounded; a folder of the parent OS is
//! named only in plans that run there: for a machine it has become one in memory.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use vm_wasi::{Direct, Granted, GrantedDir, Memory, Node, Seed, Tree, path};

use crate::plan::{Plan, PlanError};

/// Most bytes of arguments, and of the environment, of one VM.
pub const MAX_TEXT_BYTES: usize = 1 << 16;
/// Most directories of one VM.
pub const MAX_DIRS: usize = 32;
/// Longest name of a directory for the program, in bytes.
pub const MAX_GUEST_BYTES: usize = 1024;
/// Most files that a directory in memory has from the start.
pub const MAX_FILES: usize = 4096;
/// Most bytes of them.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// Room of a directory in memory where nothing is said, in bytes.
pub const DEFAULT_QUOTA_BYTES: u64 = 16 << 20;
/// Most room of a directory in memory, in bytes.
pub const MAX_QUOTA_BYTES: u64 = 4 << 30;

/// What one VM is granted of the subsystem.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Wasi {
    /// The arguments, the program's name first.
    pub args: Vec<String>,
    /// The environment.
    pub env: Vec<Variable>,
    /// The directories.
    pub dirs: Vec<Dir>,
}

/// A variable of the environment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Variable {
    /// Its name: not empty, without `=`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A directory that a program may use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dir {
    /// Its name for the program.
    pub guest: String,
    /// Where it is.
    pub place: Place,
    /// Nothing in it can be changed.
    pub read_only: bool,
}

/// Where a directory is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Place {
    /// A folder of the parent OS.
    Host(String),
    /// In memory.
    Memory(Contents),
}

/// What a directory in memory is at the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contents {
    /// Its room in bytes, for names and content.
    pub quota_bytes: u64,
    /// Its files.
    pub files: Vec<File>,
    /// They are copies of a folder's, into which nothing is written back.
    pub is_copy: bool,
}

/// A file or directory in a directory in memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct File {
    /// Where it is, beneath the directory.
    pub path: String,
    /// What is in it; `None`: it is a directory.
    pub bytes: Option<Vec<u8>>,
}

impl Default for Contents {
    /// Empty, with the default room.
    fn default() -> Contents {
        Contents { quota_bytes: DEFAULT_QUOTA_BYTES, files: Vec::new(), is_copy: false }
    }
}

impl Wasi {
    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty() && self.env.is_empty() && self.dirs.is_empty()
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// What is wrong, in words for the plan's author.
    pub fn validate(&self) -> Result<(), PlanError> {
        check_text("arguments", &self.args_bytes())?;
        check_text("environment", &self.environ_bytes())?;
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return error("an argument has a zero byte".to_string());
        }
        for Variable { name, value } in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return error(format!("a variable `{}` is impossible: write NAME=VALUE", name.escape_debug()));
            }
        }
        if self.dirs.len() > MAX_DIRS {
            return error(format!("{} directories are too many: at most {MAX_DIRS}", self.dirs.len()));
        }
        self.dirs.iter().enumerate().try_for_each(|(at, dir)| {
            if self.dirs.iter().take(at).any(|other| other.guest == dir.guest) {
                return error(format!("two directories are called `{}`", dir.guest));
            }
            dir.validate()
        })
    }

    fn args_bytes(&self) -> Vec<u8> {
        self.args.iter().flat_map(|arg| arg.bytes().chain([0])).collect()
    }

    fn environ_bytes(&self) -> Vec<u8> {
        let variable = |Variable { name, value }: &Variable| format!("{name}={value}\0").into_bytes();
        self.env.iter().flat_map(variable).collect()
    }
}

impl Dir {
    fn validate(&self) -> Result<(), PlanError> {
        let guest = &self.guest;
        if guest.is_empty() || guest.len() > MAX_GUEST_BYTES || guest.contains('\0') {
            return error(format!("a directory's name has 1 to {MAX_GUEST_BYTES} bytes, none of them zero"));
        }
        let Place::Memory(Contents { quota_bytes, files, is_copy: _ }) = &self.place else { return Ok(()) };
        if !(1..=MAX_QUOTA_BYTES).contains(quota_bytes) {
            return error(format!("the directory `{guest}` has room for {quota_bytes} bytes: 1 to {MAX_QUOTA_BYTES}"));
        }
        let bytes: usize = files.iter().filter_map(|file| file.bytes.as_ref()).map(Vec::len).sum();
        if files.len() > MAX_FILES || bytes > MAX_FILE_BYTES {
            return error(format!(
                "the directory `{guest}` has {} files of {bytes} bytes from the start: at most {MAX_FILES}, and {MAX_FILE_BYTES} bytes",
                files.len()
            ));
        }
        match files.iter().find(|file| path::check(file.path.as_bytes()).is_err()) {
            Some(file) => error(format!("the directory `{guest}` has a file `{}`: this is no path", file.path)),
            None => Ok(()),
        }
    }
}

fn check_text(what: &str, bytes: &[u8]) -> Result<(), PlanError> {
    match bytes.len() > MAX_TEXT_BYTES {
        true => error(format!("{} bytes of {what} are too many: at most {MAX_TEXT_BYTES}", bytes.len())),
        false => Ok(()),
    }
}

fn error<T>(text: String) -> Result<T, PlanError> {
    Err(PlanError(text))
}

/// The folders of the parent OS in a plan, in the order in which the platform's storage has them.
pub fn host_dirs(plan: &Plan) -> impl Iterator<Item = &Dir> {
    let dirs = plan.vms.iter().flat_map(|vm| &vm.wasi.dirs);
    dirs.filter(|dir| matches!(dir.place, Place::Host(_)))
}

/// What a plan grants of the subsystem.
pub(crate) struct Grants {
    /// By the mark of a VM.
    pub list: Vec<(u32, Granted)>,
    /// The storage in memory; the platform's is the second.
    pub memory: Box<dyn Tree>,
}

/// What a plan grants of the subsystem.
///
/// # Errors
/// A directory whose files do not fit.
pub(crate) fn granted(plan: &Plan) -> Result<Grants, PlanError> {
    let mut memory = Memory::new();
    let mut hosts = 0;
    let mut list = Vec::new();
    for (mark, vm) in (0..).zip(&plan.vms) {
        let mut granted = Granted { args: vm.wasi.args_bytes(), environ: vm.wasi.environ_bytes(), dirs: Vec::new() };
        for dir in &vm.wasi.dirs {
            let (tree, root) = match &dir.place {
                Place::Memory(contents) => (0, plant(&mut memory, &dir.guest, contents)?),
                Place::Host(_) => {
                    hosts += 1;
                    (1, Node(hosts - 1))
                }
            };
            let name = dir.guest.clone();
            granted.dirs.push(GrantedDir { name, tree, root, read_only: dir.read_only });
        }
        list.push((mark, granted));
    }
    Ok(Grants { list, memory: Box::new(Direct::new(memory)) })
}

fn plant(memory: &mut Memory, guest: &str, contents: &Contents) -> Result<Node, PlanError> {
    let seeds: Vec<Seed<'_>> =
        contents.files.iter().map(|file| Seed { path: &file.path, bytes: file.bytes.as_deref() }).collect();
    let root = memory
        .add_root(contents.quota_bytes, &seeds)
        .map_err(|why| PlanError(format!("the directory `{guest}` cannot be filled: {why}")))?;
    if contents.is_copy {
        let line =
            format!("the program changes `{guest}`: that is a copy on this machine, of which nothing is written back");
        memory.say_on_change(root, line);
    }
    Ok(root)
}
