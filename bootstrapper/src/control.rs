//! The control line: what a booted machine (COM2) and `cascade boot` say to each other.
//!
//! One ASCII line a message, ended by `\n`. Declared once here; the machine writes [`FromGuest`] and
//! reads [`ToGuest`], the host the reverse. Parsing is total: a line that is neither is `None`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::{FromStr, SplitWhitespace};

use basevm::platform::Nanos;

/// A BLAKE3 hash, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ();
    fn from_str(text: &str) -> Result<Hash, ()> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(at..at + 2).ok_or(())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Hash(bytes))
    }
}

/// How one run ended, and what it left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunEnd {
    /// The exit code: 0 normal, 1 trap, 2 load error, 124 timeout.
    pub code: u8,
    /// Of all bytes written to the console.
    pub console_hash: Hash,
    /// Of the last frame presented, if any.
    pub frame_hash: Option<Hash>,
    /// How many frames were presented.
    pub frames: u64,
    /// How many bytes were written to the console: they separate the runs of one boot on COM1.
    pub console_bytes: u64,
}

/// From the machine to the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FromGuest {
    /// `log TEXT`
    Log(String),
    /// `fault TEXT`: a line of a fault report.
    Fault(String),
    /// `idle NOW NEXT|-`: nothing can run; waits for a [`ToGuest`].
    Idle {
        /// Virtual time.
        now: Nanos,
        /// The earliest timer.
        next: Option<Nanos>,
    },
    /// `frame N ADDR PITCH W H`: the frame that ends the run has been presented.
    Frame {
        /// Its number, from 1.
        number: u64,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// `run I begin`
    Begin(u32),
    /// `run I end CODE CONSOLEHASH FRAMEHASH|- FRAMES CONSOLEBYTES`
    End(u32, RunEnd),
    /// `see WORD ..`: a frame of the wire format (`basevm::wire`), its 64-bit words as hexadecimal numbers.
    See(Vec<u64>),
    /// `end CODE`: all is over; the machine waits for `bye`, so that its screen can be read.
    Over(u8),
}

/// From the host to the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToGuest {
    /// `advance T`: virtual time is now T.
    Advance(Nanos),
    /// `key T`: virtual time is now T, and one key event is being injected: wait for it.
    Key(Nanos),
    /// `free`: no script is left; advance by yourself, or end.
    Free,
    /// `finish`: end the run.
    Finish,
    /// `bye`: power off.
    Bye,
}

impl fmt::Display for FromGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromGuest::Log(text) => write!(f, "log {text}"),
            FromGuest::Fault(text) => write!(f, "fault {text}"),
            FromGuest::Idle { now, next: Some(next) } => write!(f, "idle {now} {next}"),
            FromGuest::Idle { now, next: None } => write!(f, "idle {now} -"),
            FromGuest::Frame { number, width, height } => write!(f, "frame {number} 0 0 {width} {height}"),
            FromGuest::Begin(run) => write!(f, "run {run} begin"),
            FromGuest::End(run, end) => write!(f, "run {run} end {end}"),
            FromGuest::See(frame) => {
                f.write_str("see")?;
                frame.iter().try_for_each(|word| write!(f, " {word:x}"))
            }
            FromGuest::Over(code) => write!(f, "end {code}"),
        }
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = self.frame_hash.map_or("-".to_string(), |hash| format!("{hash}"));
        write!(f, "{} {} {frame} {} {}", self.code, self.console_hash, self.frames, self.console_bytes)
    }
}

impl fmt::Display for ToGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToGuest::Advance(time) => write!(f, "advance {time}"),
            ToGuest::Key(time) => write!(f, "key {time}"),
            ToGuest::Free => f.write_str("free"),
            ToGuest::Finish => f.write_str("finish"),
            ToGuest::Bye => f.write_str("bye"),
        }
    }
}

impl FromGuest {
    /// Reads one line, without its line end.
    pub fn parse(line: &str) -> Option<FromGuest> {
        let line = line.trim_end_matches(['\r', '\n']);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split_whitespace();
        Some(match verb {
            "log" => FromGuest::Log(rest.to_string()),
            "fault" => FromGuest::Fault(rest.to_string()),
            "idle" => FromGuest::Idle { now: number(&mut words)?, next: optional(&mut words)? },
            "frame" => {
                let frame = number(&mut words)?;
                let mut sizes = words.skip(2);
                FromGuest::Frame {
                    number: frame,
                    width: sizes.next()?.parse().ok()?,
                    height: sizes.next()?.parse().ok()?,
                }
            }
            "run" => {
                let run = number(&mut words)?;
                match words.next()? {
                    "begin" => FromGuest::Begin(run),
                    "end" => FromGuest::End(run, RunEnd::parse(&mut words)?),
                    _ => return None,
                }
            }
            "see" => FromGuest::See(words.map(|word| u64::from_str_radix(word, 16).ok()).collect::<Option<_>>()?),
            "end" => FromGuest::Over(number(&mut words)?),
            _ => return None,
        })
    }
}

impl RunEnd {
    fn parse(words: &mut SplitWhitespace<'_>) -> Option<RunEnd> {
        Some(RunEnd {
            code: number(words)?,
            console_hash: number(words)?,
            frame_hash: optional(words)?,
            frames: number(words)?,
            console_bytes: number(words)?,
        })
    }
}

impl ToGuest {
    /// Reads one line, without its line end.
    pub fn parse(line: &str) -> Option<ToGuest> {
        let mut words = line.split_whitespace();
        Some(match words.next()? {
            "advance" => ToGuest::Advance(number(&mut words)?),
            "key" => ToGuest::Key(number(&mut words)?),
            "free" => ToGuest::Free,
            "finish" => ToGuest::Finish,
            "bye" => ToGuest::Bye,
            _ => return None,
        })
    }
}

fn number<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn optional<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<Option<T>> {
    match words.next()? {
        "-" => Some(None),
        word => word.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back() {
        let end = RunEnd { code: 1, console_hash: Hash([0xa5; 32]), frame_hash: None, frames: 3, console_bytes: 17 };
        let messages = [
            FromGuest::Log("two words".into()),
            FromGuest::Fault("".into()),
            FromGuest::Idle { now: 5, next: None },
            FromGuest::Idle { now: u64::MAX, next: Some(7) },
            FromGuest::Frame { number: 2, width: 640, height: 480 },
            FromGuest::Begin(0),
            FromGuest::End(3, end),
            FromGuest::End(4, RunEnd { frame_hash: Some(Hash([1; 32])), ..end }),
            FromGuest::See(alloc::vec![]),
            FromGuest::See(alloc::vec![0, 0x1234_5678, u64::MAX]),
            FromGuest::Over(124),
        ];
        for message in messages {
            assert_eq!(FromGuest::parse(&format!("{message}\r\n")), Some(message));
        }
        for message in [ToGuest::Advance(9), ToGuest::Key(0), ToGuest::Free, ToGuest::Finish, ToGuest::Bye] {
            assert_eq!(ToGuest::parse(&format!("{message}")), Some(message));
        }
    }

    #[test]
    fn nonsense_is_none() {
        for line in [
            "",
            "run",
            "run x begin",
            "idle 1",
            "run 0 end 0 zz - 0 0",
            "frame 1 2",
            "end 300",
            "see 1 g",
            "see 11112222333344445",
            "é",
        ] {
            assert_eq!(FromGuest::parse(line), None, "{line}");
        }
        assert_eq!(ToGuest::parse("advance -1"), None);
    }
}
