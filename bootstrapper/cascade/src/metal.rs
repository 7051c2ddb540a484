//! `cascade boot`: the very same modules on a bare machine.
//!
//! The machine leads: it says on its control line what happened, and is answered. Console bytes
//! come on another line, so that the two are never mixed; `run I end` says how many there were,
//! which is how the runs of a batch are told apart.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bootstrapper::bundle::{Bundle, Observe};
use bootstrapper::control::{FromGuest, RunEnd, ToGuest};
use bootstrapper::plan::Clock;

use crate::cli::{BootOptions, Display};
use crate::keys::TimedKey;
use crate::qemu::{Config, Happened, Machine};
use crate::report::{self, Summary};
use crate::screen::Picture;
use crate::seeing::{Recordings, Watching};
use crate::system::{self, Prepared};
use crate::{accel, folders, image, interrupt, output};

/// The exit code of a run that took too long.
const TIMEOUT: u8 = 124;
/// The machine keeps its time limit itself; it is ended from outside only so much later.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait for console bytes that the machine says it has sent.
const DRAIN: Duration = Duration::from_secs(5);
/// How often Ctrl-C and time limits are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Boots what the options say.
///
/// # Errors
/// Anything that keeps it from running.
pub fn boot(options: &BootOptions) -> anyhow::Result<u8> {
    let seen = Recordings::begin(&options.common.seeing)?;
    let outcome = boot_seen(options, seen.as_ref().map(|(_, watching)| watching.clone()))?;
    if let Some((recordings, _)) = seen {
        recordings.finish()?;
    }
    if outcome.is_empty() && interrupt::asked() {
        return Ok(interrupt::EXIT_CODE);
    }
    output::print(&options.common, &outcome)
}

/// Boots what the options say, and tells of it. Nothing comes of it if the user asked to stop before it began.
///
/// # Errors
/// Anything that keeps it from running.
pub fn boot_seen(options: &BootOptions, watching: Option<Watching>) -> anyhow::Result<Vec<Summary>> {
    let mut prepared = system::prepare_all(&options.common)?;
    prepared.iter_mut().try_for_each(|one| folders::send_along(&mut one.run.plan))?;
    let window = window(options.common.display.as_ref())?;
    let image = image::locate(options.machine.image.as_deref())?;
    let observe = watching.as_ref().map(Watching::observe);
    let bundle = bundle(&prepared, options.common.verbose, observe).encode()?;
    // From here on there are machines and their files to end in order: `follow` looks for the wish.
    interrupt::act_with(|| {});
    let accel = accel::choose(options.machine.accel, &image);
    if interrupt::asked() {
        return Ok(Vec::new());
    }
    let config = Config {
        image: &image,
        bundle: &bundle,
        accel,
        memory_mib: options.machine.memory,
        disk: options.common.disk.as_deref(),
        window: &window,
        forward_stdin: !options.common.json && options.common.batch.is_none(),
    };
    if let Some(disk) = config.disk {
        output::check_disk(disk)?;
    }
    let machine = Machine::start(&config)?;
    let live = !options.common.json && options.common.batch.is_none();
    let mut session = Session::new(machine, &prepared, live, options.common.verbose);
    session.watching = watching;
    session.follow()?;
    session.outcome(options, accel)
}

fn bundle(prepared: &[Prepared], verbose: bool, observe: Option<Observe>) -> Bundle {
    Bundle { verbose, observe, runs: prepared.iter().map(|one| one.run.clone()).collect() }
}

/// QEMU's `-display` for ours.
fn window(display: Option<&Display>) -> anyhow::Result<String> {
    let wanted = matches!(display, Some(Display::Window));
    if !wanted && display.is_some() {
        return Ok("none".into());
    }
    let listed = std::process::Command::new(crate::qemu::QEMU).args(["-display", "help"]).output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let kind = ["gtk", "sdl"].into_iter().find(|kind| listed.lines().any(|line| line.trim() == *kind));
    match kind {
        Some(kind) if output::has_display_server() => Ok(kind.into()),
        _ if wanted => {
            eprintln!("cascade: no window: this computer has no screen, or QEMU no window library; running without");
            Ok("none".into())
        }
        _ => Ok("none".into()),
    }
}

/// One boot, from start to `end`.
struct Session<'a> {
    machine: Machine,
    prepared: &'a [Prepared],
    ends: Vec<RunEnd>,
    faults: Vec<Vec<String>>,
    /// Log lines of the current run.
    logged: Vec<String>,
    console: Vec<u8>,
    /// Whether console bytes are shown as they come.
    show: bool,
    /// Whether start-up is shown.
    verbose: bool,
    script: VecDeque<TimedKey>,
    /// When the current run began, by the host's clock.
    began: Option<Instant>,
    /// When everything must have ended.
    deadline: Option<Instant>,
    timed_out: bool,
    /// Where frames go.
    watching: Option<Watching>,
}

impl<'a> Session<'a> {
    fn new(machine: Machine, prepared: &'a [Prepared], show: bool, verbose: bool) -> Session<'a> {
        let limit = prepared.iter().map(Prepared::timeout).sum::<Option<Duration>>();
        Session {
            machine,
            prepared,
            ends: Vec::new(),
            faults: vec![Vec::new(); prepared.len()],
            logged: Vec::new(),
            console: Vec::new(),
            show,
            verbose,
            script: prepared.first().map(|one| one.script.iter().cloned().collect()).unwrap_or_default(),
            began: None,
            deadline: limit.map(|limit| Instant::now() + limit + GRACE),
            timed_out: false,
            watching: None,
        }
    }

    /// Follows the machine until it says that all is over.
    fn follow(&mut self) -> anyhow::Result<()> {
        loop {
            if interrupt::asked() {
                return Ok(());
            }
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.timed_out = true;
                return Ok(());
            }
            self.press_due_keys()?;
            match self.machine.wait(self.patience()) {
                Happened::Said(FromGuest::Over(_)) => return self.drain(),
                Happened::Said(message) => self.answer(message)?,
                Happened::Noise(line) => eprintln!("machine: {line}"),
                Happened::Console(bytes) => self.take_console(&bytes)?,
                Happened::Closed => {
                    let said = self.logged.join("\n  ");
                    bail!("the machine stopped without an answer; {}\n  {said}", self.machine.complaint())
                }
                Happened::Quiet => {}
            }
        }
    }

    fn answer(&mut self, message: FromGuest) -> anyhow::Result<()> {
        match message {
            FromGuest::Log(text) => {
                // What the machine says before its first run is start-up.
                if self.began.is_some() || self.verbose {
                    eprintln!("{text}");
                }
                self.logged.push(text);
            }
            FromGuest::Fault(text) => self.take_fault(text),
            FromGuest::Begin(_) => {
                self.began = Some(Instant::now());
                self.logged.clear();
            }
            FromGuest::End(_, end) => self.ends.push(end),
            FromGuest::Idle { now, next } => self.answer_idle(now, next)?,
            FromGuest::See(words) => {
                if let Some(watching) = &self.watching {
                    watching.put_words(&words);
                }
            }
            FromGuest::Frame { .. } | FromGuest::Over(_) => {}
        }
        Ok(())
    }

    /// A fault is shown once: the base logs it when it happens, the machine sums up at the end.
    fn take_fault(&mut self, text: String) {
        let said = |line: &String| *line == text || line.strip_prefix("fault ") == Some(&text);
        if !self.logged.iter().any(said) {
            eprintln!("{text}");
        }
        let run = self.ends.len();
        if let Some(faults) = self.faults.get_mut(run) {
            faults.push(text);
        }
    }

    /// The virtual clock's next step: the next key if it is due before the next timer.
    fn answer_idle(&mut self, now: u64, next: Option<u64>) -> anyhow::Result<()> {
        let Some(key) = self.script.front() else { return self.machine.say(ToGuest::Free) };
        let at = key.at.max(now);
        match next {
            Some(timer) if timer < at => self.machine.say(ToGuest::Advance(timer)),
            _ => {
                self.machine.say(ToGuest::Key(at))?;
                self.press_next()
            }
        }
    }

    fn press_next(&mut self) -> anyhow::Result<()> {
        let Some(key) = self.script.pop_front() else { return Ok(()) };
        self.machine.qmp().key(key.qcode, key.down)
    }

    /// Under the real clock, keys are pressed at their time since the run began.
    fn press_due_keys(&mut self) -> anyhow::Result<()> {
        while self.next_key_in() == Some(Duration::ZERO) {
            self.press_next()?;
        }
        Ok(())
    }

    /// How long until the next key of a script under the real clock.
    fn next_key_in(&self) -> Option<Duration> {
        let real = self.prepared.first().is_some_and(|one| one.run.plan.clock == Clock::Real);
        let began = self.began.filter(|_| real)?;
        let at = Duration::from_nanos(self.script.front()?.at);
        Some(at.saturating_sub(began.elapsed()))
    }

    fn patience(&self) -> Duration {
        self.next_key_in().map_or(TICK, |key| key.min(TICK))
    }

    fn take_console(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.console.extend_from_slice(bytes);
        if self.show {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the console to stdout")?;
        }
        Ok(())
    }

    /// Console bytes travel on their own line, and may arrive after `end`.
    fn drain(&mut self) -> anyhow::Result<()> {
        let sent: u64 = self.ends.iter().map(|end| end.console_bytes).sum();
        let until = Instant::now() + DRAIN;
        while (self.console.len() as u64) < sent && Instant::now() < until {
            if let Happened::Console(bytes) = self.machine.wait(TICK) {
                self.take_console(&bytes)?;
            }
        }
        Ok(())
    }

    /// Reads the screen, lets the machine go, and says how each run ended.
    fn outcome(mut self, options: &BootOptions, accel: &str) -> anyhow::Result<Vec<Summary>> {
        let stopped = interrupt::asked() || self.timed_out;
        let picture = match self.ends.last() {
            Some(end) if end.frames > 0 && !stopped => Some(Picture::from_ppm(&self.machine.screen()?)?),
            _ => None,
        };
        if let Some(picture) = &picture {
            self.check_screen(picture)?;
            output::keep(options.common.display.as_ref(), picture)?;
        } else if let Some(Display::Png(file) | Display::Raw(file)) = &options.common.display {
            output::say_no_frame(file);
        }
        let summaries = self.summaries(accel)?;
        if !stopped {
            self.machine.say(ToGuest::Bye)?;
        }
        let patience = if stopped { Duration::ZERO } else { GRACE };
        self.machine.finish(patience);
        Ok(summaries)
    }

    /// What the screen shows is what the program presented last.
    fn check_screen(&self, picture: &Picture) -> anyhow::Result<()> {
        let presented = self.ends.last().and_then(|end| end.frame_hash);
        if presented.is_some_and(|presented| presented != picture.hash()) {
            bail!("the machine's screen differs from the frame that was presented: this is a bug in Cascade");
        }
        Ok(())
    }

    fn summaries(&self, accel: &str) -> anyhow::Result<Vec<Summary>> {
        let mut console = self.console.as_slice();
        let mut list = Vec::new();
        for (index, one) in self.prepared.iter().enumerate() {
            let module = one.main_module()?;
            let end = self.ends.get(index);
            let length = end.map_or(console.len(), |end| console.len().min(end.console_bytes as usize));
            let (bytes, rest) = console.split_at(length);
            console = rest;
            let hash = report::hash(bytes);
            if end.is_some_and(|end| end.console_hash != hash) {
                bail!(
                    "{}: the console's bytes differ from what was written: this is a bug in Cascade",
                    module.path.display()
                );
            }
            list.push(Summary {
                exit: end.map_or_else(|| self.unfinished(), |end| end.code),
                file: module.path.display().to_string(),
                console: String::from_utf8_lossy(bytes).into_owned(),
                console_hash: hash.to_string(),
                frames: end.map_or(0, |end| end.frames),
                frame_hash: end.and_then(|end| end.frame_hash).map(|hash| hash.to_string()),
                module_hash: module.hash.to_string(),
                faults: self.faults.get(index).cloned().unwrap_or_default(),
                how: format!("qemu {accel}"),
            });
        }
        Ok(list)
    }

    fn unfinished(&self) -> u8 {
        if interrupt::asked() { interrupt::EXIT_CODE } else { TIMEOUT }
    }
}
