//! Reading a recording: its frames in order, with their times and the names of what they speak of.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use basevm::platform::Nanos;
use basevm::wire::{Decoder, Frame, Names, Packet, Way};

/// A stream of frames that is being read.
#[derive(Debug)]
pub struct Recording<R> {
    from: R,
    shown: String,
    decoder: Decoder,
    /// What is known so far.
    pub names: Names,
    /// Real time of the last frame, since the start.
    pub at: Nanos,
    /// Virtual time of the last frame, if the system's clock is virtual.
    pub clock: Option<Nanos>,
    /// Packets so far: the number of the last one.
    pub packets: u64,
    frames: u64,
}

impl Recording<Box<dyn Read>> {
    /// Opens a recording; `-` is standard input.
    ///
    /// # Errors
    /// A missing or unreadable file, with a way out.
    pub fn open(path: &Path) -> anyhow::Result<Recording<Box<dyn Read>>> {
        let shown = path.display().to_string();
        if shown == "-" {
            return Ok(Recording::new(Box::new(std::io::stdin()), "standard input".into()));
        }
        let file = File::open(path).with_context(|| {
            format!("cannot read `{shown}`\n  make a recording: cascade run FILE.il --record {shown}")
        })?;
        Ok(Recording::new(Box::new(BufReader::new(file)), shown))
    }
}

impl<R: Read> Recording<R> {
    /// Reads from anywhere; `shown` names it in messages.
    pub fn new(from: R, shown: String) -> Recording<R> {
        let (names, decoder) = (Names::default(), Decoder::new());
        Recording { from, shown, decoder, names, at: 0, clock: None, packets: 0, frames: 0 }
    }

    /// The next frame. A recording that breaks off, because its run was killed, ends there with a note.
    ///
    /// # Errors
    /// What is not a recording, and where.
    pub fn next_frame(&mut self) -> anyhow::Result<Option<Frame>> {
        let mut piece = [0; 1 << 16];
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    self.frames += 1;
                    self.note(&frame);
                    return Ok(Some(frame));
                }
                Ok(None) => {}
                Err(why) => bail!("`{}` is not a usable recording: {why} (after {} frames)", self.shown, self.frames),
            }
            let length = self.from.read(&mut piece).with_context(|| format!("cannot read `{}`", self.shown))?;
            if length == 0 {
                if self.decoder.finish().is_err() && self.frames == 0 {
                    bail!("`{}` is not a recording: make one by cascade run FILE.il --record FILE", self.shown);
                }
                if self.decoder.finish().is_err() {
                    eprintln!("cascade: `{}` breaks off after {} frames", self.shown, self.frames);
                }
                return Ok(None);
            }
            self.decoder.feed(piece.get(..length).unwrap_or_default());
        }
    }

    fn note(&mut self, frame: &Frame) {
        self.names.learn(frame);
        match frame {
            Frame::Start { virtual_clock: true, .. } => self.clock = Some(0),
            Frame::At(at) => self.at = *at,
            Frame::Clock(now) => self.clock = Some(*now),
            Frame::Packet(Packet { way: Way::Forth, .. }) => self.packets += 1,
            _ => {}
        }
    }
}

impl<R> Recording<R> {
    /// The system's time.
    pub fn now(&self) -> Nanos {
        self.clock.unwrap_or(self.at)
    }
}
