//! The disk VM: `cascade.disk@1` over a [`BlockDevice`].
//!
//! Many requests, of several VMs, are under way at a time. Two of them may pass each other unless
//! one writes what the other touches; a flush waits for the writes before it. The buffer of a
//! request moves to the device and back, and is never copied here. What is under way and what
//! waits is bounded: [`MAX_REQUESTS`].
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod device;
mod job;
mod memory;

pub use device::*;
pub use memory::{DEFAULT_BYTES, MemoryDisk};

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use basevm::buf::Buf;
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service};
use il::trap::Status;
use isa::Attachment;
use isa::disk::{Op, SET, reply};

use job::{Answer, Job, Span, zeros};

/// Requests that may wait or be under way; more are refused with status 10 (busy).
pub const MAX_REQUESTS: usize = 256;

/// The disk VM.
pub struct Disk {
    device: Box<dyn BlockDevice>,
    /// Not yet submitted, in order of arrival.
    waiting: VecDeque<Job>,
    /// Submitted.
    flying: Vec<Job>,
    last: u64,
}

impl Disk {
    /// A disk on this device.
    pub fn new(device: Box<dyn BlockDevice>) -> Disk {
        Disk { device, waiting: VecDeque::new(), flying: Vec::new(), last: 0 }
    }

    fn run(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        match self.job(host, request) {
            Ok(Work::Answered(reply)) => Outcome::Done(reply),
            Ok(Work::Begun(job)) => self.begin(host, job),
            Err(status) => Outcome::Fail(status),
        }
    }

    fn job(&mut self, host: &mut dyn Host, request: Request<'_>) -> Result<Work, Status> {
        match Op::decode(request.opcode, request.words)? {
            Op::Info => {
                let sectors = i64::try_from(self.device.sectors()).unwrap_or(i64::MAX);
                Ok(Work::Answered(Reply::new(&reply::info(SECTOR_BYTES as i32, sectors), vec![])))
            }
            Op::Read { lba, sectors } => {
                let span = self.span(lba, i64::from(sectors))?;
                let data = host.buf(span.bytes()?)?;
                if span.is_empty() {
                    return Ok(Work::Answered(read_reply(data)));
                }
                Ok(Work::Begun(self.admit(Job::read(span, data))?))
            }
            Op::Write { lba, data } => {
                let data = data.take(request.attachments)?.buf()?;
                if data.len() % SECTOR_BYTES != 0 {
                    return Err(Status::BadOperand);
                }
                let span = self.span(lba, (data.len() / SECTOR_BYTES) as i64)?;
                if span.is_empty() {
                    return Ok(Work::Answered(Reply::none()));
                }
                Ok(Work::Begun(self.admit(Job::write(span, data))?))
            }
            Op::Flush => Ok(Work::Begun(self.admit(Job::flush())?)),
            Op::Discard { lba, sectors } => {
                let span = self.span(lba, sectors)?;
                if span.is_empty() {
                    return Ok(Work::Answered(Reply::none()));
                }
                let job = match self.device.can_discard() {
                    true => Job::discard(span),
                    false => Job::zero(span, zeros(host, span.sectors())?),
                };
                Ok(Work::Begun(self.admit(job)?))
            }
        }
    }

    /// A range of sectors that lies on the disk.
    fn span(&self, lba: i64, sectors: i64) -> Result<Span, Status> {
        let start = u64::try_from(lba).map_err(|_| Status::OutOfRange)?;
        let sectors = u64::try_from(sectors).map_err(|_| Status::OutOfRange)?;
        let end = start.checked_add(sectors).filter(|end| *end <= self.device.sectors());
        end.map(|end| Span { start, end }).ok_or(Status::OutOfRange)
    }

    fn admit(&mut self, mut job: Job) -> Result<Job, Status> {
        if self.waiting.len() + self.flying.len() >= MAX_REQUESTS {
            return Err(Status::Busy);
        }
        self.last += 1;
        job.id = RequestId(self.last);
        Ok(job)
    }

    /// Submits what can be; a request that a device finishes at once is answered at once.
    fn begin(&mut self, host: &mut dyn Host, job: Job) -> Outcome {
        let id = job.id;
        self.waiting.push_back(job);
        match self.pump(host, Some(id)) {
            Some(Ok(reply)) => Outcome::Done(reply),
            Some(Err(status)) => Outcome::Fail(status),
            None => {
                let right = host.reply_right();
                let mut jobs = self.waiting.iter_mut().chain(&mut self.flying);
                if let Some(job) = jobs.find(|job| job.id == id) {
                    job.right = Some(right);
                }
                Outcome::Later
            }
        }
    }

    /// Takes what is finished and submits what no longer has to wait, until neither is left. Gives
    /// the answer of `current` if it is among what is finished.
    fn pump(&mut self, host: &mut dyn Host, current: Option<RequestId>) -> Option<Answer> {
        let mut own = None;
        loop {
            self.submit_ready();
            let Some(completion) = self.device.poll() else { break };
            let Some((job, answer)) = self.finish(host, completion) else { continue };
            match job.right {
                Some(right) => host.complete(right, answer),
                None if Some(job.id) == current => own = Some(answer),
                None => {}
            }
        }
        while let Some(line) = self.device.report() {
            host.log(&line);
        }
        host.set_pending(!self.flying.is_empty() || !self.waiting.is_empty());
        own
    }

    fn submit_ready(&mut self) {
        let mut at = 0;
        while let Some(job) = self.waiting.get(at) {
            let mut others = self.waiting.range(..at).chain(&self.flying);
            if others.any(|other| job.must_follow(other)) {
                at += 1;
                continue;
            }
            let Some(mut job) = self.waiting.remove(at) else { return };
            match job.submit(&mut *self.device) {
                true => self.flying.push(job),
                false => return self.waiting.insert(at, job),
            }
        }
    }

    /// The request that a completion finishes, and its answer. A discard by writing goes on instead.
    fn finish(&mut self, host: &mut dyn Host, completion: Completion) -> Option<(Job, Answer)> {
        let at = self.flying.iter().position(|job| job.id == completion.id)?;
        let mut job = self.flying.remove(at);
        match completion.result {
            Err(status) => Some((job, Err(status))),
            Ok(buf) => match job.next_part(host) {
                Some(Err(status)) => Some((job, Err(status))),
                Some(Ok(())) => {
                    self.waiting.push_front(job);
                    None
                }
                None if job.reads => Some((job, buf.map(read_reply).ok_or(Status::DeviceError))),
                None => Some((job, Ok(Reply::none()))),
            },
        }
    }
}

/// What an instruction leads to.
enum Work {
    Answered(Reply),
    Begun(Job),
}

impl Service for Disk {
    fn hello(&self) -> Hello {
        Hello { name: String::from("disk"), provides: &SET }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.device.start(host.waker())
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        self.run(host, request)
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.pump(host, None);
    }
}

fn read_reply(data: Buf) -> Reply {
    Reply::new(&reply::read(Attachment(0)), vec![data.into()])
}
