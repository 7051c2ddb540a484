//! A machine: QEMU with our kernel, its console, its control line and its QMP socket.
//!
//! Invariants: a [`Machine`] owns the process, the sockets and the temporary folder; dropping it
//! ends the process and removes the folder. It never blocks for ever: the control line is read by
//! a thread, and whoever waits for a message gives a bound.

mod child;
mod qmp;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bootstrapper::control::{FromGuest, ToGuest};
use tempfile::TempDir;

pub use child::Child;
pub use qmp::Qmp;

/// The program that emulates the machine.
pub const QEMU: &str = "qemu-system-x86_64";
/// How long QEMU may take to open its sockets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The disk where none is given (decision 17).
const DEFAULT_DISK_BYTES: u64 = 1 << 20;

/// What to start.
#[derive(Clone, Debug)]
pub struct Config<'a> {
    /// The kernel image.
    pub image: &'a Path,
    /// The bundle's bytes.
    pub bundle: &'a [u8],
    /// `kvm` or `tcg`.
    pub accel: &'a str,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// The disk's file; a fresh one of zeros if `None`.
    pub disk: Option<&'a Path>,
    /// QEMU's `-display`.
    pub window: &'a str,
    /// Whether this program's stdin goes to the machine's console.
    pub forward_stdin: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Happened {
    /// The machine said something on its control line.
    Said(FromGuest),
    /// It said something that is not in the protocol.
    Noise(String),
    /// Bytes for the console.
    Console(Vec<u8>),
    /// The control line was closed: QEMU has ended.
    Closed,
    /// Nothing, for the time given.
    Quiet,
}

/// A running machine.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    qmp: Qmp,
    control: UnixStream,
    happened: Receiver<Happened>,
    dir: TempDir,
}

/// Whether QEMU is there.
pub fn installed() -> bool {
    Command::new(QEMU).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// What to do where QEMU is missing: the exact command.
pub fn how_to_install() -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    let has = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
    };
    if has("apt-get") {
        format!("{sudo}apt-get install -y --no-install-recommends qemu-system-x86")
    } else if has("dnf") {
        format!("{sudo}dnf install -y qemu-system-x86-core")
    } else if has("pacman") {
        format!("{sudo}pacman -S --noconfirm qemu-system-x86")
    } else {
        "see https://www.qemu.org/download for your system".to_string()
    }
}

impl Machine {
    /// Starts a machine and connects to it. To be called from the main thread.
    ///
    /// # Errors
    /// QEMU missing or refusing its arguments, with its own words.
    pub fn start(config: &Config<'_>) -> anyhow::Result<Machine> {
        let dir = tempfile::Builder::new().prefix("cascade-").tempdir().context("cannot make a temporary folder")?;
        std::fs::write(dir.path().join("bundle"), config.bundle).context("cannot write the bundle")?;
        let disk = match config.disk {
            Some(disk) => disk.to_path_buf(),
            None => zero_disk(&dir.path().join("disk"))?,
        };
        let control = UnixListener::bind(dir.path().join("control"))?;
        let qmp = UnixListener::bind(dir.path().join("qmp"))?;
        let errors = File::create(dir.path().join("errors"))?;
        let mut command = Command::new(QEMU);
        command.args(arguments(config, dir.path(), &disk)?).stderr(errors);
        let mut child = match Child::start(&mut command) {
            Ok(child) => child,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                bail!("QEMU is not installed: there is no `{QEMU}`\n  to install it: {}", how_to_install())
            }
            Err(why) => return Err(why).context("cannot start QEMU"),
        };
        let complaint = |child: &mut Child| complaint(child, dir.path());
        let control = accept(&control, &mut child).map_err(|why| why.context(complaint(&mut child)))?;
        let qmp = accept(&qmp, &mut child).and_then(Qmp::new).map_err(|why| why.context(complaint(&mut child)))?;
        let (sender, happened) = mpsc::channel();
        let (stdin, stdout) = child.take_pipes().context("QEMU's pipes are missing")?;
        read_control(control.try_clone()?, sender.clone());
        read_console(stdout, sender);
        if config.forward_stdin {
            forward_stdin(stdin);
        }
        Ok(Machine { child, qmp, control, happened, dir })
    }

    /// Waits for what happens next, at most so long.
    pub fn wait(&mut self, at_most: Duration) -> Happened {
        match self.happened.recv_timeout(at_most) {
            Ok(happened) => happened,
            Err(RecvTimeoutError::Timeout) => Happened::Quiet,
            Err(RecvTimeoutError::Disconnected) => Happened::Closed,
        }
    }

    /// Says something on the control line.
    ///
    /// # Errors
    /// If QEMU has ended.
    pub fn say(&mut self, message: ToGuest) -> anyhow::Result<()> {
        writeln!(self.control, "{message}").context("the machine's control line is closed")
    }

    /// The QMP socket.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// What the screen shows, as a PPM file's bytes.
    ///
    /// # Errors
    /// If QEMU cannot say.
    pub fn screen(&mut self) -> anyhow::Result<Vec<u8>> {
        let file = self.dir.path().join("screen.ppm");
        self.qmp.screendump(&file)?;
        std::fs::read(&file).context("QEMU wrote no screen dump")
    }

    /// What QEMU itself complained about, for the report of an unexpected end.
    pub fn complaint(&mut self) -> String {
        complaint(&mut self.child, self.dir.path())
    }

    /// Lets the machine power off by itself, so that its last writes reach the disk's file; the
    /// process is ended in any case when `self` goes.
    pub fn finish(mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while self.child.ended().is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn arguments(config: &Config<'_>, dir: &Path, disk: &Path) -> anyhow::Result<Vec<String>> {
    let text = |path: &Path| {
        path.to_str().map(str::to_string).with_context(|| format!("the path {} is not UTF-8", path.display()))
    };
    let socket = |id: &str| Ok::<_, anyhow::Error>(format!("socket,id={id},path={}", comma(&text(&dir.join(id))?)));
    let drive = format!("if=none,id=disk,format=raw,file={}", comma(&text(disk)?));
    let cpu = if config.accel == "kvm" { "host" } else { "max" };
    let memory = format!("{}M", config.memory_mib);
    let image = text(config.image)?;
    let bundle = text(&dir.join("bundle"))?;
    let (control, qmp) = (socket("control")?, socket("qmp")?);
    let list = [
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-M",
        "q35",
        "-accel",
        config.accel,
        "-cpu",
        cpu,
        "-m",
        &memory,
        "-net",
        "none",
        "-vga",
        "std",
        "-display",
        config.window,
        "-kernel",
        &image,
        "-initrd",
        &comma(&bundle),
        "-chardev",
        "stdio,id=console,signal=off",
        "-serial",
        "chardev:console",
        "-chardev",
        &control,
        "-serial",
        "chardev:control",
        "-chardev",
        &qmp,
        "-mon",
        "chardev=qmp,mode=control",
        "-drive",
        &drive,
        "-device",
        "virtio-blk-pci,drive=disk",
    ];
    Ok(list.into_iter().map(str::to_string).collect())
}

/// QEMU's own escape for a comma in an option's value.
fn comma(text: &str) -> String {
    text.replace(',', ",,")
}

fn zero_disk(path: &Path) -> anyhow::Result<PathBuf> {
    File::create(path).and_then(|file| file.set_len(DEFAULT_DISK_BYTES)).context("cannot make the disk's file")?;
    Ok(path.to_path_buf())
}

/// Waits until QEMU connects, or ends.
fn accept(listener: &UnixListener, child: &mut Child) -> anyhow::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let until = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(why) => return Err(why.into()),
        }
        if child.ended().is_some() {
            bail!("QEMU ended before the machine started");
        }
        if Instant::now() > until {
            bail!("QEMU does not open its sockets");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn complaint(child: &mut Child, dir: &Path) -> String {
    let said = std::fs::read_to_string(dir.join("errors")).unwrap_or_default();
    let said = said.trim();
    let how = child.ended().map_or("it still runs".to_string(), |status| status.to_string());
    if said.is_empty() { format!("QEMU: {how}") } else { format!("QEMU: {how}; it said: {said}") }
}

fn read_control(stream: UnixStream, to: Sender<Happened>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            let message = match FromGuest::parse(&text) {
                Some(said) => Happened::Said(said),
                None => Happened::Noise(text.trim_end().to_string()),
            };
            if to.send(message).is_err() {
                return;
            }
            line.clear();
        }
        let _ = to.send(Happened::Closed);
    });
}

fn read_console(mut from: impl Read + Send + 'static, to: Sender<Happened>) {
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            let Some(bytes) = chunk.get(..length) else { return };
            if to.send(Happened::Console(bytes.to_vec())).is_err() {
                return;
            }
        }
    });
}

fn forward_stdin(mut to: impl Write + Send + 'static) {
    thread::spawn(move || {
        let mut chunk = [0; 256];
        while let Ok(length @ 1..) = std::io::stdin().read(&mut chunk) {
            let Some(bytes) = chunk.get(..length) else { return };
            if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
                return;
            }
        }
    });
}
