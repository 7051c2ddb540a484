//! A stand-in for the base, for the tests of VMs written in Rust: real packets go in, replies,
//! events and wake-ups come out, and everything that the VM answers is checked against its
//! instruction set. Not part of any system.
#![forbid(unsafe_code)]

use std::sync::Arc;

use basevm::attachment::Attachment;
use basevm::buf::{Account, Buf};
use basevm::platform::Nanos;
use basevm::service::{Host, Outcome, Reply, ReplyRight, Request, Service, VmId, Waker};
use il::isa::{EVENT_BASE, InstructionSet};
use il::packet::{Builder, Reader, Value, check, instructions};
use il::trap::Status;

/// What an instruction answered.
pub type Answer = Result<Reply, Status>;

/// The base's side, as a VM sees it.
pub struct FakeHost {
    /// The system's time.
    pub now: Nanos,
    /// The time of which the VM asked to be woken.
    pub wake_at: Option<Nanos>,
    /// How many VMs listen to each event.
    pub listeners: usize,
    /// What the VM last said.
    pub pending: bool,
    /// Events raised: number, and operand words.
    pub events: Vec<(u8, Vec<u64>)>,
    /// Lines logged.
    pub log: Vec<String>,
    /// Late answers by tag.
    pub completed: Vec<(u32, Answer)>,
    /// Who sends.
    pub caller: VmId,
    /// The marks of VMs.
    pub marks: Vec<(VmId, u32)>,
    /// VMs that have ended.
    pub ended: Vec<VmId>,
    waker: Waker,
    account: Arc<Account>,
    set: &'static InstructionSet,
    tag: u32,
    rights: Vec<ReplyRight>,
}

impl FakeHost {
    fn new(set: &'static InstructionSet) -> FakeHost {
        FakeHost {
            now: 0,
            wake_at: None,
            listeners: 0,
            pending: false,
            events: Vec::new(),
            log: Vec::new(),
            completed: Vec::new(),
            caller: VmId(7),
            marks: Vec::new(),
            ended: Vec::new(),
            waker: Waker::new(|| ()),
            account: Account::new(1 << 24),
            set,
            tag: 0,
            rights: Vec::new(),
        }
    }

    /// A buffer with these bytes.
    pub fn filled(&self, bytes: &[u8]) -> Buf {
        let mut buf = Buf::new(&self.account, bytes.len()).expect("within quota");
        buf.copy_from_slice(bytes);
        buf
    }

    /// Bytes of buffers that are alive.
    pub fn bytes_used(&self) -> u64 {
        self.account.used()
    }
}

impl Host for FakeHost {
    fn now(&self) -> Nanos {
        self.now
    }
    fn wall(&self) -> Nanos {
        1_000_000_000_000_000_000 + self.now
    }
    fn wake_at(&mut self, time: Option<Nanos>) {
        self.wake_at = time;
    }
    fn waker(&self) -> Waker {
        self.waker.clone()
    }
    fn reply_right(&mut self) -> ReplyRight {
        self.rights.push(ReplyRight::new(0, 0, self.tag));
        ReplyRight::new(0, 0, self.tag)
    }
    fn complete(&mut self, right: ReplyRight, result: Answer) {
        let at = self.rights.iter().position(|known| *known == right).expect("completes a right that it holds, once");
        self.rights.remove(at);
        let tag = (0..=self.tag).find(|tag| ReplyRight::new(0, 0, *tag) == right).expect("a right of ours");
        self.completed.push((tag, result));
    }
    fn emit(&mut self, event: u8, values: &[Value<'_>]) -> usize {
        let mut builder = Builder::default();
        builder.begin(EVENT_BASE + u16::from(event), 0);
        for value in values {
            builder.push(*value);
        }
        builder.end().expect("an event fits a packet");
        let declared = self.set.event(event).expect("raises a declared event");
        assert_eq!(check(&declared.params, &builder.words[1..], 0), Ok(()));
        if self.listeners > 0 {
            self.events.push((event, builder.words[1..].to_vec()));
        }
        self.listeners
    }
    fn is_alive(&self, vm: VmId) -> bool {
        !self.ended.contains(&vm)
    }
    fn mark(&self, vm: VmId) -> Option<u32> {
        self.marks.iter().find(|(known, _)| *known == vm).map(|(_, mark)| *mark)
    }
    fn listeners(&self, _event: u8) -> usize {
        self.listeners
    }
    fn buf(&mut self, bytes: usize) -> Result<Buf, Status> {
        Buf::new(&self.account, bytes).ok_or(Status::Quota)
    }
    fn set_pending(&mut self, pending: bool) {
        self.pending = pending;
    }
    fn log(&mut self, line: &str) {
        self.log.push(line.to_string());
    }
}

/// A VM under test, started.
pub struct Bench<S> {
    /// The VM.
    pub vm: S,
    /// Its host.
    pub host: FakeHost,
}

impl<S: Service> Bench<S> {
    /// Starts the VM.
    pub fn new(mut vm: S) -> Bench<S> {
        let mut host = FakeHost::new(vm.hello().provides);
        vm.start(&mut host).expect("starts");
        Bench { vm, host }
    }

    /// Sends one instruction, encoded by `op` into a packet with this tag; `Err(tag)` if the answer
    /// comes later.
    pub fn send(
        &mut self,
        op: impl FnOnce(&mut Builder, u32) -> Result<(), Status>,
        bufs: Vec<Buf>,
    ) -> Result<Answer, u32> {
        self.host.tag += 1;
        let mut packet = Builder::default();
        op(&mut packet, self.host.tag).expect("encodes");
        let (head, words) = instructions(&packet.words).next().expect("one").expect("well formed");
        let opcode = head.opcode as u8;
        let declared = self.host.set.instruction(opcode).expect("declared");
        assert_eq!(check(&declared.params, words, bufs.len()), Ok(()));
        let mut attachments: Vec<Option<Attachment>> = bufs.into_iter().map(|buf| Some(buf.into())).collect();
        let request = Request { opcode, words, attachments: &mut attachments, caller: self.host.caller };
        let answer = match self.vm.execute(&mut self.host, request) {
            Outcome::Done(reply) => Ok(reply),
            Outcome::Fail(status) => Err(status),
            Outcome::Later => return Err(self.host.tag),
        };
        self.checked(opcode, &answer);
        Ok(answer)
    }

    /// Sends an instruction that is answered at once.
    pub fn now(&mut self, op: impl FnOnce(&mut Builder, u32) -> Result<(), Status>, bufs: Vec<Buf>) -> Answer {
        self.send(op, bufs).expect("answered at once")
    }

    /// Sends an instruction that is answered later, and gives its tag.
    pub fn later(&mut self, op: impl FnOnce(&mut Builder, u32) -> Result<(), Status>, bufs: Vec<Buf>) -> u32 {
        self.send(op, bufs).expect_err("answered later")
    }

    /// Wakes the VM.
    pub fn wake(&mut self) {
        self.vm.wake(&mut self.host);
    }

    /// Lets time pass to `now`, waking the VM whenever it asked for it.
    pub fn pass(&mut self, now: Nanos) {
        while let Some(at) = self.host.wake_at.filter(|at| *at <= now) {
            self.host.wake_at = None;
            self.host.now = self.host.now.max(at);
            self.wake();
        }
        self.host.now = now;
    }

    /// Takes the late answer of a tag, if it has come.
    pub fn answer(&mut self, tag: u32) -> Option<Answer> {
        let at = self.host.completed.iter().position(|(known, _)| *known == tag)?;
        Some(self.host.completed.remove(at).1)
    }

    /// Waits for the late answer of a tag from a backend with threads.
    pub fn wait(&mut self, tag: u32) -> Answer {
        for _ in 0..10_000 {
            if self.host.waker.take() {
                self.wake();
            }
            if let Some(answer) = self.answer(tag) {
                return answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("no answer within ten seconds");
    }

    fn checked(&self, opcode: u8, answer: &Answer) {
        let results = self.host.set.instruction(opcode).and_then(|declared| declared.results.as_deref());
        if let Ok(reply) = answer {
            assert_eq!(check(results.unwrap_or(&[]), &reply.words, reply.attachments.len()), Ok(()));
        }
    }
}

/// The words of an answer that succeeded.
pub fn words(answer: Answer) -> Vec<u64> {
    answer.expect("succeeded").words
}

/// The text of an answer whose only result is a `str`.
pub fn text(answer: Answer) -> String {
    let words = words(answer);
    match Reader::new(&words).next(il::Type::Str) {
        Ok(Value::Str(text)) => text.to_string(),
        other => panic!("not a text: {other:?}"),
    }
}

/// The buffer of an answer whose only result is a `buf`.
pub fn buf(answer: Answer) -> Buf {
    answer.expect("succeeded").attachments.pop().expect("a buffer").buf().expect("a buffer")
}
