//! `cascade run`: a system on this computer.
//!
//! The core has a thread of its own; the main thread belongs to the window library, where there is a
//! window. Backends that block have threads of their own, in `vm-hosted`.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};
use basevm::system::{Observer, StopHandle, System};
use bootstrapper::bundle::Run;
use bootstrapper::plan::{Clock, Device, DisplaySize};
use bootstrapper::{Devices, Ended, boot};
use vm_console::{Size, Terminal};
use vm_disk::{BlockDevice, MemoryDisk};
use vm_display::Screen;
use vm_hosted::{
    FileDisk, Headless, KeptFrame, KeyQueue, OsEntropy, Output, RawFrames, ScriptKeys, StreamTerminal, Window,
    WindowHandle,
};

use crate::cli::{CommonOptions, Display, RunOptions};
use crate::keys::TimedKey;
use crate::platform::{HostedOptions, HostedPlatform, ScriptedInput};
use crate::report::{self, Summary};
use crate::seeing::{Recordings, Watching};
use crate::system::{self, Prepared};
use crate::{folders, interrupt, output};

/// Stack of the core's thread: the compiler runs on it.
const CORE_STACK_BYTES: usize = 16 << 20;

/// Runs what the options say.
///
/// # Errors
/// Anything that keeps it from running.
pub fn run(options: &RunOptions) -> anyhow::Result<u8> {
    let seen = Recordings::begin(&options.common.seeing)?;
    let summaries = run_seen(options, seen.as_ref().map(|(_, watching)| watching))?;
    if let Some((recordings, _)) = seen {
        recordings.finish()?;
    }
    output::print(&options.common, &summaries)
}

/// Runs what the options say, and tells of it.
///
/// # Errors
/// Anything that keeps it from running.
pub fn run_seen(options: &RunOptions, watching: Option<&Watching>) -> anyhow::Result<Vec<Summary>> {
    let common = &options.common;
    if options.gc_stress {
        basevm::heap::set_stress(true);
    }
    if let Some(disk) = &common.disk {
        output::check_disk(disk)?;
    }
    let prepared = system::prepare_all(common)?;
    let mut summaries = Vec::new();
    let mut shared = None;
    for one in prepared {
        summaries.push(run_one(common, one, &mut shared, watching)?);
        if interrupt::asked() {
            break;
        }
    }
    Ok(summaries)
}

/// The runs of a batch share a platform: it lives as long as the process. Only one run has a script.
fn run_one(
    common: &CommonOptions,
    prepared: Prepared,
    shared: &mut Option<&'static HostedPlatform>,
    watching: Option<&Watching>,
) -> anyhow::Result<Summary> {
    let plan = &prepared.run.plan;
    let console = Console::new(common)?;
    let front = Front::new(common, &prepared)?;
    let platform = *shared.get_or_insert_with(|| {
        HostedPlatform::leaked(HostedOptions {
            virtual_clock: plan.clock == Clock::Virtual,
            script: script(&prepared.script, front.press),
            ..HostedOptions::default()
        })
    });
    let block = disk(common.disk.as_deref())?;
    let devices = Devices {
        screen: front.screen,
        keys: Box::new(front.keys),
        block,
        terminal: console.terminal,
        entropy: Box::new(OsEntropy),
        files: folders::hosted(plan)?,
    };
    let observer = watching.map(|watching| watching.observer(plan));
    let core = Core { platform, run: prepared.run.clone(), verbose: common.verbose, observer };
    let ended = match front.shown {
        Shown::Window(window, handle) => core.behind(*window, handle, devices)?,
        Shown::File(frame, file) => {
            let ended = core.alone(devices)?;
            keep(&frame, &file)?;
            ended
        }
        Shown::Nothing => core.alone(devices)?,
    };
    console.output.drain();
    summary(&prepared, ended, console.captured)
}

/// Where the console goes: to this process's own, or into a file that the summary reads.
struct Console {
    terminal: Box<dyn Terminal>,
    output: Output,
    captured: Option<File>,
}

impl Console {
    fn new(common: &CommonOptions) -> anyhow::Result<Console> {
        let live = !common.json && common.batch.is_none();
        let captured = if live { None } else { Some(tempfile::tempfile().context("cannot make a temporary file")?) };
        let (terminal, output) = match &captured {
            None => StreamTerminal::stdio()?,
            Some(file) => StreamTerminal::new(std::io::empty(), file.try_clone()?, Size::default)?,
        };
        Ok(Console { terminal: Box::new(terminal), output, captured })
    }
}

/// What faces the user: where frames go, and where keys come from.
struct Front {
    screen: Box<dyn Screen>,
    keys: KeyQueue,
    /// Presses keys.
    press: ScriptKeys,
    shown: Shown,
}

/// What is to be done with the frames.
enum Shown {
    Nothing,
    /// The last one becomes a PNG file.
    File(KeptFrame, PathBuf),
    /// They are shown as they come.
    Window(Box<Window>, WindowHandle),
}

impl Front {
    fn new(common: &CommonOptions, prepared: &Prepared) -> anyhow::Result<Front> {
        let size = prepared.run.plan.display;
        match &common.display {
            Some(Display::Raw(dir)) => {
                let file = output::raw_file(dir)?;
                let frames = RawFrames::create(&file, size.width, size.height)
                    .with_context(|| format!("cannot write `{}`", file.display()))?;
                Ok(Front::headless(Box::new(frames), Shown::Nothing))
            }
            Some(Display::Png(file)) => {
                let (screen, kept) = Headless::new(size.width, size.height);
                Ok(Front::headless(Box::new(screen), Shown::File(kept, file.clone())))
            }
            Some(Display::None) => Ok(Front::unseen(size)),
            Some(Display::Window) => Ok(Front::window(prepared, size)),
            None if common.json || common.batch.is_some() || !has_a_front(prepared) => Ok(Front::unseen(size)),
            None => Ok(Front::window(prepared, size)),
        }
    }

    fn headless(screen: Box<dyn Screen>, shown: Shown) -> Front {
        let (press, keys) = ScriptKeys::new();
        Front { screen, keys, press, shown }
    }

    fn unseen(size: DisplaySize) -> Front {
        Front::headless(Box::new(Headless::new(size.width, size.height).0), Shown::Nothing)
    }

    /// A window, or a word on why there is none.
    fn window(prepared: &Prepared, size: DisplaySize) -> Front {
        let title = prepared.main_module().map_or("cascade", |loaded| loaded.module.name.as_str());
        let why = if output::has_display_server() {
            match Window::open(title, size.width, size.height) {
                Ok((window, ends)) => {
                    let shown = Shown::Window(Box::new(window), ends.handle);
                    return Front { screen: Box::new(ends.screen), keys: ends.keys, press: ends.press, shown };
                }
                Err(why) => why.to_string(),
            }
        } else {
            "no screen here".to_string()
        };
        eprintln!("cascade: {why}: running without a window (--display png:FILE keeps the last frame)");
        Front::unseen(size)
    }
}

/// Whether any of the modules draws or reads keys: a program that does neither gets no window.
fn has_a_front(prepared: &Prepared) -> bool {
    let front = [Device::Display, Device::Keyboard].map(Device::instruction_set);
    let sets = prepared.modules.iter().flat_map(|loaded| &loaded.module.isas);
    sets.into_iter().any(|set| front.iter().any(|front| front.name == set.name))
}

fn keep(frame: &KeptFrame, file: &Path) -> anyhow::Result<()> {
    let written = frame.write_png(file).with_context(|| format!("cannot write `{}`", file.display()))?;
    if !written {
        output::say_no_frame(file);
    }
    Ok(())
}

fn disk(file: Option<&Path>) -> anyhow::Result<Box<dyn BlockDevice>> {
    Ok(match file {
        Some(file) => Box::new(FileDisk::open(file).with_context(|| format!("the disk `{}`", file.display()))?),
        None => Box::new(MemoryDisk::default()),
    })
}

fn script(keys: &[TimedKey], pressed: ScriptKeys) -> Vec<ScriptedInput> {
    let input = |key: &TimedKey| {
        let (pressed, event) = (pressed.clone(), key.event);
        // A full queue loses keys, as a keyboard's does.
        let inject = move || _ = pressed.push(event);
        ScriptedInput { at: key.at, inject: Box::new(inject) }
    };
    keys.iter().map(input).collect()
}

/// The thread that runs the base loop.
struct Core {
    platform: &'static HostedPlatform,
    run: Run,
    verbose: bool,
    observer: Option<Box<dyn Observer>>,
}

impl Core {
    /// `started` gets the handle that stops the run; `ended` is called when it is over.
    fn start(
        self,
        devices: Devices,
        mut started: impl FnMut(StopHandle) + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<JoinHandle<Ended>> {
        let core = thread::Builder::new().name("core".into()).stack_size(CORE_STACK_BYTES).spawn(move || {
            let mut observer = self.observer;
            let mut began = |system: &mut System| {
                if let Some(observer) = observer.take() {
                    system.observe(observer);
                }
                started(system.stop_handle());
            };
            let result = boot(self.platform, devices, &self.run, self.verbose, &mut began);
            ended();
            result
        })?;
        Ok(core)
    }

    fn alone(self, devices: Devices) -> anyhow::Result<Ended> {
        let started = |stop: StopHandle| interrupt::act_with(move || stop.interrupt());
        join(self.start(devices, started, || {})?)
    }

    /// Runs while this thread, the main one, shows the window. Closing it ends the run; when the run
    /// ends first, the last frame stays until the window is closed.
    fn behind(self, window: Window, handle: WindowHandle, devices: Devices) -> anyhow::Result<Ended> {
        let platform = self.platform;
        let stop = Arc::new(OnceLock::new());
        let (closer, lingering, stop_slot) = (handle.clone(), handle, stop.clone());
        let started = move |stop: StopHandle| {
            let _ = stop_slot.set(stop.clone());
            let closer = closer.clone();
            interrupt::act_with(move || {
                stop.interrupt();
                closer.close();
            });
        };
        let core = self.start(devices, started, move || lingering.linger())?;
        let closed = move || match stop.get() {
            Some(stop) => StopHandle::stop(stop),
            // Closed before the system began.
            None => platform.request_stop(),
        };
        if let Err(why) = window.run(closed) {
            eprintln!("cascade: {why}");
        }
        join(core)
    }
}

fn join(core: JoinHandle<Ended>) -> anyhow::Result<Ended> {
    core.join().map_err(|_| anyhow!("the base VM failed: this is a bug in Cascade"))
}

fn summary(prepared: &Prepared, ended: Ended, captured: Option<File>) -> anyhow::Result<Summary> {
    let module = prepared.main_module()?;
    let mut console = Vec::new();
    if let Some(mut file) = captured {
        file.rewind()?;
        file.read_to_end(&mut console)?;
        if report::hash(&console) != ended.end.console_hash {
            anyhow::bail!(
                "{}: the console's bytes differ from what was written: this is a bug in Cascade",
                module.path.display()
            );
        }
    }
    Ok(Summary {
        exit: ended.end.code,
        file: module.path.display().to_string(),
        console: String::from_utf8_lossy(&console).into_owned(),
        console_hash: ended.end.console_hash.to_string(),
        frames: ended.end.frames,
        frame_hash: ended.end.frame_hash.map(|hash| hash.to_string()),
        module_hash: module.hash.to_string(),
        faults: ended.faults.iter().flat_map(|fault| fault.lines()).map(str::to_string).collect(),
        how: "hosted".into(),
    })
}
