//! Decoding: total, in one pass, allocating in proportion to the bytes that are there.

use alloc::string::String;
use alloc::vec::Vec;

use super::{
    Attached, Channel, End, Field, Frame, Item, Kind, MAGIC, MAX_FRAME_WORDS, MAX_TEXT_BYTES, Packet, Right,
    RightChange, Set, Turn, Usage, Vm, Way, WireError, kind,
};

/// The first frame in `bytes` and its length; `None` if it is not all there yet.
///
/// # Errors
/// What is not a frame, and never becomes one by more bytes.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, WireError> {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let head = u64::from_le_bytes(*head);
    let (kind, words) = (head as u8, (head >> 32) as usize);
    if head as u32 > u32::from(u8::MAX) {
        return Err(WireError::Head);
    }
    if words > MAX_FRAME_WORDS {
        return Err(WireError::TooLong);
    }
    let Some(payload) = rest.get(..words * 8) else { return Ok(None) };
    let mut from = Reader { rest: payload };
    let frame = from.frame(kind)?;
    if !from.rest.is_empty() {
        return Err(WireError::Payload);
    }
    Ok(Some((frame, 8 + words * 8)))
}

/// Takes a stream in pieces of any size, and gives its frames.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    at: usize,
    begun: bool,
}

impl Decoder {
    /// For a stream from its start.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// For frames without the stream's start: where the transport has said already what they are.
    pub fn bare() -> Decoder {
        Decoder { begun: true, ..Decoder::default() }
    }

    /// Takes a piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame; `None` if it is not all there yet.
    ///
    /// # Errors
    /// What is not a stream. Every later call says the same.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        if !self.begun {
            let start = &self.bytes[..self.bytes.len().min(MAGIC.len())];
            if !MAGIC.starts_with(start) {
                return Err(WireError::Magic);
            }
            if start.len() < MAGIC.len() {
                return Ok(None);
            }
            self.begun = true;
            self.at = MAGIC.len();
        }
        let Some((frame, length)) = decode(self.bytes.get(self.at..).unwrap_or_default())? else { return Ok(None) };
        self.at += length;
        Ok(Some(frame))
    }

    /// To be called where the stream has ended.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if it ended inside a frame.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.at < self.bytes.len() || !self.begun { Err(WireError::Truncated) } else { Ok(()) }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

type Read<T> = Result<T, WireError>;

const BAD: WireError = WireError::Payload;

impl Reader<'_> {
    fn number(&mut self) -> Read<u64> {
        let (word, rest) = self.rest.split_first_chunk::<8>().ok_or(BAD)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Read<T> {
        T::try_from(self.number()?).map_err(|_| BAD)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BAD),
        }
    }

    /// A count of things that take at least a word each.
    fn count(&mut self) -> Read<usize> {
        let count = self.small::<usize>()?;
        if count > self.rest.len() / 8 { Err(BAD) } else { Ok(count) }
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        let length = self.small::<usize>()?;
        if length > self.rest.len() {
            return Err(BAD);
        }
        let (now, rest) = self.rest.split_at_checked(length.next_multiple_of(8)).ok_or(BAD)?;
        let (bytes, padding) = now.split_at(length);
        self.rest = rest;
        if padding.iter().any(|byte| *byte != 0) { Err(BAD) } else { Ok(bytes.to_vec()) }
    }

    fn text(&mut self) -> Read<String> {
        let bytes = self.bytes()?;
        if bytes.len() > MAX_TEXT_BYTES {
            return Err(BAD);
        }
        String::from_utf8(bytes).map_err(|_| BAD)
    }

    fn words(&mut self) -> Read<Vec<u64>> {
        let count = self.count()?;
        (0..count).map(|_| self.number()).collect()
    }

    fn mask(&mut self) -> Read<[u64; 4]> {
        Ok([self.number()?, self.number()?, self.number()?, self.number()?])
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.count()?;
        // A thing may take more memory than bytes here: what is reserved grows with what is read.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(each(self)?);
        }
        Ok(list)
    }

    fn frame(&mut self, kind: u8) -> Read<Frame> {
        Ok(match kind {
            kind::START => Frame::Start { virtual_clock: self.flag()?, wall: self.number()?, program: self.text()? },
            kind::SET => Frame::Set(self.set()?),
            kind::VM => Frame::Vm(self.vm()?),
            kind::CHANNEL => Frame::Channel(self.channel()?),
            kind::CLOSED => Frame::Closed { channel: self.small()?, status: self.small()? },
            kind::ENDED => {
                let vm = self.small()?;
                Frame::Ended { vm, how: End::from_code(self.number()?).ok_or(BAD)?, text: self.text()? }
            }
            kind::AT => Frame::At(self.number()?),
            kind::CLOCK => Frame::Clock(self.number()?),
            kind::FORTH => Frame::Packet(self.packet(Way::Forth)?),
            kind::BACK => Frame::Packet(self.packet(Way::Back)?),
            kind::TAKEN => Frame::Taken(self.number()?),
            kind::DONE => Frame::Done(self.number()?),
            kind::TURN => {
                let vm = self.small()?;
                Frame::Turn { vm, what: Turn::from_code(self.number()?).ok_or(BAD)?, name: self.text()? }
            }
            kind::REST => Frame::Rest { vm: self.small()? },
            kind::USAGE => Frame::Usage(self.usage()?),
            kind::LOST => Frame::Lost { frames: self.number()?, bytes: self.number()? },
            kind::RIGHT => Frame::Right(Right {
                what: RightChange::from_code(self.number()?).ok_or(BAD)?,
                right: self.small()?,
                holder: self.small()?,
                target: self.small()?,
                ops: self.mask()?,
            }),
            kind::END => Frame::End { code: self.small()? },
            _ => return Err(WireError::Head),
        })
    }

    fn field(&mut self) -> Read<Field> {
        Ok(Field { name: self.text()?, code: self.small()?, ty: self.text()? })
    }

    fn item(&mut self) -> Read<Item> {
        let (number, name) = (self.small()?, self.text()?);
        let operands = self.list(Self::field)?;
        let (waits, results) = (self.flag()?, self.list(Self::field)?);
        if !waits && !results.is_empty() {
            return Err(BAD);
        }
        Ok(Item { number, name, operands, results: waits.then_some(results) })
    }

    fn set(&mut self) -> Read<Set> {
        let (number, path) = (self.small()?, self.text()?);
        Ok(Set { number, path, instructions: self.list(Self::item)?, events: self.list(Self::item)? })
    }

    fn vm(&mut self) -> Read<Vm> {
        Ok(Vm {
            vm: self.small()?,
            name: self.text()?,
            index: self.small()?,
            kind: Kind::from_code(self.number()?).ok_or(BAD)?,
            memory_limit: self.number()?,
            sets: self.list(Self::small)?,
        })
    }

    fn channel(&mut self) -> Read<Channel> {
        Ok(Channel {
            channel: self.small()?,
            sender: self.small()?,
            receiver: self.small()?,
            set: match self.number()? {
                0 => None,
                set => Some(u32::try_from(set - 1).map_err(|_| BAD)?),
            },
            slot: self.small()?,
            name: self.text()?,
            ops: self.mask()?,
            events: self.mask()?,
        })
    }

    fn packet(&mut self, way: Way) -> Read<Packet> {
        let (channel, words) = (self.small()?, self.words()?);
        Ok(Packet { channel, way, words, attachments: self.list(Self::attachment)? })
    }

    fn attachment(&mut self) -> Read<Attached> {
        Ok(match self.number()? {
            0 => Attached::None,
            1 => {
                let (length, bytes) = (self.number()?, self.bytes()?);
                if bytes.len() as u64 > length {
                    return Err(BAD);
                }
                Attached::Buf { length, bytes }
            }
            2 => Attached::Object { ty: self.text()?, words: self.words()? },
            3 => Attached::Cap { right: self.small()?, generation: self.small()? },
            _ => return Err(BAD),
        })
    }

    fn usage(&mut self) -> Read<Usage> {
        Ok(Usage {
            vm: self.small()?,
            processor: self.number()?,
            memory: self.number()?,
            memory_limit: self.number()?,
            sent: self.number()?,
            executed: self.number()?,
            queued: self.number()?,
            state: self.text()?,
        })
    }
}
