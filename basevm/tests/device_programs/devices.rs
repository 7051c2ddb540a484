//! Stand-ins for the devices that the samples run on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use basevm::buf::Buf;
use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use il::packet::Value;
use il::trap::Status;

/// Keeps what is written.
pub struct Paper(pub Arc<Mutex<String>>);

impl Service for Paper {
    fn hello(&self) -> Hello {
        Hello { name: "console".into(), provides: &isa::console::SET }
    }

    fn execute(&mut self, _: &mut dyn Host, request: Request<'_>) -> Outcome {
        match isa::console::Op::decode(request.opcode, request.words) {
            Ok(isa::console::Op::Write { text }) => {
                self.0.lock().unwrap().push_str(text);
                Outcome::Done(Reply::none())
            }
            _ => Outcome::Fail(Status::NotSupported),
        }
    }
}

/// Sectors in memory; `read` takes its time.
pub struct Sectors(pub Vec<u8>, pub Vec<(ReplyRight, Buf)>, pub Arc<AtomicUsize>);

impl Service for Sectors {
    fn hello(&self) -> Hello {
        Hello { name: "disk".into(), provides: &isa::disk::SET }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        use isa::disk::{Op, reply};
        match Op::decode(request.opcode, request.words).unwrap() {
            Op::Info => Outcome::Done(Reply::new(&reply::info(512, self.0.len() as i64 / 512), vec![])),
            Op::Read { lba, sectors } => {
                let (start, bytes) = (lba as usize * 512, sectors as usize * 512);
                let mut data = host.buf(bytes).unwrap();
                data.copy_from_slice(&self.0[start..start + bytes]);
                self.2.fetch_add(1, Ordering::Relaxed);
                self.1.push((host.reply_right(), data));
                let soon = host.now() + 1000;
                host.wake_at(Some(soon));
                Outcome::Later
            }
            Op::Write { lba, data } => {
                let data = data.take(request.attachments).unwrap().buf().unwrap();
                self.0[lba as usize * 512..][..data.len()].copy_from_slice(&data);
                Outcome::Done(Reply::none())
            }
            _ => Outcome::Fail(Status::NotSupported),
        }
    }

    fn wake(&mut self, host: &mut dyn Host) {
        for (right, data) in self.1.drain(..) {
            host.complete(right, Ok(Reply::new(&[Value::Buf(0)], vec![data.into()])));
        }
    }
}

/// Keys that come one by one.
pub struct Keys(pub Vec<(i32, bool, char)>);

impl Service for Keys {
    fn hello(&self) -> Hello {
        Hello { name: "keyboard".into(), provides: &isa::keyboard::SET }
    }

    fn execute(&mut self, _: &mut dyn Host, _: Request<'_>) -> Outcome {
        let (code, down, char) = self.0.remove(0);
        Outcome::Done(Reply::new(&isa::keyboard::reply::read(code, down, char as i32), vec![]))
    }
}
