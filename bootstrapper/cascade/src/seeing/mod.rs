//! Seeing what happens in a system: recordings, traces, and their pages.
//!
//! A hosted run and a booted one give the same stream of frames ([`basevm::wire`]): the hosted one through an
//! observer, the machine as lines on its second serial port. All that follows works on the stream.

mod graph;
mod live;
mod perfetto;
mod recording;
mod svg;
mod text;
mod top;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use basevm::recorder::{Recorder, Sink};
use basevm::system::Observer;
use basevm::wire::MAGIC;
use bootstrapper::bundle::Observe;
use bootstrapper::plan::Plan;

pub use recording::Recording;
pub use top::{top, vms};

use crate::cli::{GraphOptions, SeeingOptions, TraceOptions};
use crate::system;

/// How much of one buffer a recording keeps.
const BUFFER_BYTES: u32 = 64 << 10;
/// How large a recording becomes, hosted.
const MOST_BYTES: u64 = 4 << 30;
/// How large a recording becomes that comes over a serial port.
const MOST_BOOTED_BYTES: u64 = 64 << 20;

/// Where frames go.
#[derive(Clone)]
pub struct Watching {
    observe: Observe,
    sink: Arc<Mutex<dyn Sink>>,
}

impl Watching {
    /// Frames go to `sink`, as much as `observe` says.
    pub fn new(observe: Observe, sink: impl Sink + 'static) -> Watching {
        Watching { observe, sink: Arc::new(Mutex::new(sink)) }
    }

    /// The observer of a hosted run.
    pub fn observer(&self, plan: &Plan) -> Box<dyn Observer> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        Box::new(Recorder::new(self.clone(), self.observe.options(plan, wall)))
    }

    /// What a machine is asked to tell.
    pub fn observe(&self) -> Observe {
        Observe { most_bytes: self.observe.most_bytes.min(MOST_BOOTED_BYTES), ..self.observe }
    }

    /// A frame that came from a machine, in words.
    pub fn put_words(&self, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.lock().put(&bytes);
    }

    fn lock(&self) -> MutexGuard<'_, dyn Sink + 'static> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Watching {
    fn put(&mut self, frame: &[u8]) {
        self.lock().put(frame);
    }
}

/// A recording that is being written.
struct Tape {
    file: BufWriter<File>,
    /// The first thing that went wrong: a run is not stopped by it.
    failed: Option<std::io::Error>,
}

impl Sink for Tape {
    fn put(&mut self, frame: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(frame).err();
        }
    }
}

/// What `--record` and `--trace` asked for.
pub struct Recordings {
    tape: Arc<Mutex<Tape>>,
    /// Where the recording lies, and whether it goes when the trace is made.
    file: PathBuf,
    _temporary: Option<tempfile::NamedTempFile>,
    trace: Option<PathBuf>,
}

struct Shared(Arc<Mutex<Tape>>);

impl Sink for Shared {
    fn put(&mut self, frame: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(frame);
    }
}

impl Recordings {
    /// Begins what the options ask for; `None` if that is nothing.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn begin(options: &SeeingOptions) -> anyhow::Result<Option<(Recordings, Watching)>> {
        if options.record.is_none() && options.trace.is_none() {
            return Ok(None);
        }
        let temporary = match &options.record {
            Some(_) => None,
            None => Some(tempfile::NamedTempFile::new().context("cannot make a temporary file")?),
        };
        let kept = options.record.clone().or_else(|| Some(temporary.as_ref()?.path().to_path_buf()));
        let file = kept.context("no file for the recording")?;
        if let Some(trace) = &options.trace {
            // What cannot be written is said before the run, not after it.
            create(trace)?;
        }
        let mut tape = Tape { file: BufWriter::new(create(&file)?), failed: None };
        tape.put(&MAGIC);
        let tape = Arc::new(Mutex::new(tape));
        let observe =
            Observe { packets: true, usage_ms: Some(100), buffer_bytes: BUFFER_BYTES, most_bytes: MOST_BYTES };
        let watching = Watching::new(observe, Shared(tape.clone()));
        Ok(Some((Recordings { tape, file, _temporary: temporary, trace: options.trace.clone() }, watching)))
    }

    /// Ends the recording, and makes the trace.
    ///
    /// # Errors
    /// If something could not be written.
    pub fn finish(self) -> anyhow::Result<()> {
        {
            let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
            let flushed = tape.file.flush();
            let failed = tape.failed.take().map_or(flushed, Err);
            failed.with_context(|| format!("cannot write the recording `{}`", self.file.display()))?;
        }
        match &self.trace {
            Some(trace) => perfetto(&self.file, trace),
            None => Ok(()),
        }
    }
}

fn create(file: &Path) -> anyhow::Result<File> {
    File::create(file).with_context(|| format!("cannot write `{}`", file.display()))
}

/// Makes a trace of a recording.
fn perfetto(recording: &Path, trace: &Path) -> anyhow::Result<()> {
    let taken = perfetto::taken(Recording::open(recording)?)?;
    let mut out = BufWriter::new(create(trace)?);
    perfetto::write(Recording::open(recording)?, taken, &mut out)
        .with_context(|| format!("the trace `{}`", trace.display()))
}

/// `cascade trace`: a recording as text, or as another file.
///
/// # Errors
/// A file that is no recording, or cannot be written.
pub fn trace(options: &TraceOptions) -> anyhow::Result<u8> {
    if let Some(out) = &options.perfetto {
        perfetto(&options.file, out)?;
        return Ok(0);
    }
    let choice = text::Choice { vm: options.vm.clone(), base: options.handshakes, json: options.json };
    let mut out = BufWriter::new(std::io::stdout().lock());
    match text::print(Recording::open(&options.file)?, &choice, &mut out) {
        // A reader that has gone away (`| head`) is not an error.
        Err(why) if why.downcast_ref::<std::io::Error>().is_some_and(is_gone) => Ok(0),
        result => result.map(|()| 0),
    }
}

/// `cascade graph`: a system, or a run that was recorded, as a picture.
///
/// # Errors
/// A file that is neither a program nor a recording, or a picture that cannot be written.
pub fn draw(options: &GraphOptions) -> anyhow::Result<u8> {
    let graph = match options.system.file.as_deref().filter(|file| is_recording(file)) {
        Some(file) => graph::of_recording(Recording::open(file)?)?,
        None => {
            let (plan, modules) = system::assemble(&options.system)?;
            graph::of_plan(&plan, &modules)
        }
    };
    let graph = if options.all { graph } else { graph.connected() };
    let svg = svg::draw(&graph);
    match &options.output {
        Some(file) => create(file)?.write_all(svg.as_bytes()).with_context(|| format!("`{}`", file.display()))?,
        // A reader that has gone away is not an error.
        None => _ = std::io::stdout().write_all(svg.as_bytes()),
    }
    Ok(0)
}

fn is_recording(file: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == MAGIC
}

fn is_gone(why: &std::io::Error) -> bool {
    why.kind() == std::io::ErrorKind::BrokenPipe
}
