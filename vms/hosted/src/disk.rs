//! A disk in a file of the parent OS: requests are carried out by a few threads.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;
use rustix::fs::{FallocateFlags, fallocate};
use vm_disk::{BlockDevice, Command, Completion, RequestId, SECTOR_BYTES};

use crate::ring::{Bell, Ring, locked};

/// Requests that may be under way; the disk VM keeps what is beyond.
pub const MAX_IN_FLIGHT: usize = 64;
/// Threads a disk: as many requests are with the OS at a time.
const THREADS: usize = 4;

/// A disk in a file.
#[derive(Debug)]
pub struct FileDisk {
    shared: Arc<Shared>,
    in_flight: usize,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    path: PathBuf,
    sectors: u64,
    requests: Ring<(RequestId, Command)>,
    completions: Ring<Completion>,
    bell: Bell,
    trouble: Mutex<Option<String>>,
}

/// Why a file cannot be a disk.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiskError {
    /// The OS refuses.
    Io(PathBuf, io::Error),
    /// Its size is not a positive multiple of a sector.
    Size(PathBuf, u64),
    /// Another process uses it.
    InUse(PathBuf),
}

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DiskError::Io(path, why) if why.kind() == io::ErrorKind::NotFound => {
                write!(f, "there is no disk file `{0}`; make an empty one with `truncate -s 1M {0}`", path.display())
            }
            DiskError::Io(path, why) => write!(f, "cannot open the disk file `{}`: {why}", path.display()),
            DiskError::Size(path, bytes) => write!(
                f,
                "the disk file `{0}` has {bytes} bytes, which is not a positive multiple of {SECTOR_BYTES}; \
                 round it up with `truncate -s {1} {0}`",
                path.display(),
                bytes.next_multiple_of(SECTOR_BYTES as u64).max(SECTOR_BYTES as u64)
            ),
            DiskError::InUse(path) => {
                write!(f, "the disk file `{}` is in use by another process", path.display())
            }
        }
    }
}

impl std::error::Error for DiskError {}

impl FileDisk {
    /// Opens a file for reading and writing, and locks it against other systems.
    ///
    /// # Errors
    /// See [`DiskError`].
    pub fn open(path: &Path) -> Result<FileDisk, DiskError> {
        let failed = |why| DiskError::Io(path.to_path_buf(), why);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DiskError::InUse(path.to_path_buf())),
            // A file system without locks is no reason to refuse.
            Err(TryLockError::Error(_)) => {}
        }
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes == 0 || !bytes.is_multiple_of(SECTOR_BYTES as u64) {
            return Err(DiskError::Size(path.to_path_buf(), bytes));
        }
        FileDisk::on(file, path, bytes / SECTOR_BYTES as u64).map_err(failed)
    }

    fn on(file: File, path: &Path, sectors: u64) -> io::Result<FileDisk> {
        let shared = Arc::new(Shared {
            file,
            path: path.to_path_buf(),
            sectors,
            requests: Ring::new(MAX_IN_FLIGHT),
            completions: Ring::new(MAX_IN_FLIGHT),
            bell: Bell::default(),
            trouble: Mutex::new(None),
        });
        let mut disk = FileDisk { shared, in_flight: 0, threads: Vec::new() };
        for _ in 0..THREADS {
            let shared = disk.shared.clone();
            let thread = std::thread::Builder::new().name("disk".into()).spawn(move || shared.serve())?;
            disk.threads.push(thread);
        }
        Ok(disk)
    }
}

impl Drop for FileDisk {
    /// Waits until what was submitted has been carried out.
    fn drop(&mut self) {
        self.shared.requests.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl BlockDevice for FileDisk {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        // What a VM before left under way; a few requests at most.
        while self.in_flight > 0 && self.shared.completions.pop().is_some() {
            self.in_flight -= 1;
        }
        self.shared.bell.set(waker);
        Ok(())
    }

    fn sectors(&self) -> u64 {
        self.shared.sectors
    }

    fn submit(&mut self, id: RequestId, command: Command) -> Result<(), Command> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return Err(command);
        }
        self.shared.requests.try_push((id, command)).map_err(|(_, command)| command)?;
        self.in_flight += 1;
        Ok(())
    }

    fn poll(&mut self) -> Option<Completion> {
        let completion = self.shared.completions.try_pop()?;
        self.in_flight -= 1;
        Some(completion)
    }

    fn report(&mut self) -> Option<String> {
        locked(&self.shared.trouble).take()
    }

    fn can_discard(&self) -> bool {
        true
    }
}

impl Shared {
    /// A thread's work.
    fn serve(&self) {
        while let Some((id, command)) = self.requests.pop() {
            let result = self.run(command).map_err(|why| {
                *locked(&self.trouble) = Some(format!("{}: {why}", self.path.display()));
                Status::DeviceError
            });
            // There is room: no more than MAX_IN_FLIGHT are under way.
            let _ = self.completions.try_push(Completion { id, result });
            self.bell.ring();
        }
    }

    fn run(&self, command: Command) -> io::Result<Option<Buf>> {
        match command {
            Command::Read(lba, mut data) => {
                self.file.read_exact_at(&mut data, lba.byte_offset())?;
                Ok(Some(data))
            }
            Command::Write(lba, data) => {
                self.check_size()?;
                self.file.write_all_at(&data, lba.byte_offset())?;
                Ok(Some(data))
            }
            Command::Flush => self.file.sync_data().map(|()| None),
            Command::Discard(lba, sectors) => {
                self.check_size()?;
                self.discard(lba.byte_offset(), sectors.saturating_mul(SECTOR_BYTES as u64))?;
                Ok(None)
            }
        }
    }

    /// A write would make a file that was cut short grow again, with a hole: refuse it.
    fn check_size(&self) -> io::Result<()> {
        match self.file.metadata()?.len() >= self.sectors.saturating_mul(SECTOR_BYTES as u64) {
            true => Ok(()),
            false => Err(io::Error::other("the file has been cut short since the start")),
        }
    }

    fn discard(&self, start: u64, bytes: u64) -> io::Result<()> {
        if fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, start, bytes).is_ok() {
            return Ok(());
        }
        let zeros = [0; 64 * 1024];
        let mut done = 0;
        while done < bytes {
            let part = (bytes - done).min(zeros.len() as u64);
            self.file.write_all_at(zeros.get(..part as usize).unwrap_or(&zeros), start + done)?;
            done += part;
        }
        Ok(())
    }
}
