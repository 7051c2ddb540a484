//! The QEMU process: started so that it cannot outlive this one. This file contains `unsafe`.
//!
//! Invariants: a [`Child`] is killed and reaped when dropped; if this process is killed outright,
//! the parent OS kills QEMU (parent-death signal).

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Signal, set_parent_process_death_signal};

/// A running QEMU.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
}

impl Child {
    /// Starts `command` with piped stdin and stdout. To be called from the main thread: the
    /// parent-death signal follows the thread that starts the process.
    pub fn start(command: &mut Command) -> io::Result<Child> {
        let parent = std::process::id();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: between fork and exec the closure makes system calls only; it neither allocates
        // nor takes a lock.
        unsafe { command.pre_exec(move || die_with(parent)) };
        // Its own process group: Ctrl-C in the terminal reaches us alone, and we end it in order.
        command.process_group(0);
        Ok(Child { process: command.spawn()? })
    }

    /// Its end of the pipes.
    pub fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.process.stdin.take()?, self.process.stdout.take()?))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }
}

fn die_with(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the signal was set.
    match std::os::unix::process::parent_id() {
        now if now == parent => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::ECHILD)),
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself already; that is not an error.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
