//! Backends that outlive their device VM: lent to each of its incarnations.
//!
//! Invariants: a backend runs in an arena of its own, so that nothing that a VM allocates is referenced by it, nor
//! the reverse; a buffer that it is given is the VM's no more. A backend in which its VM was lost (it panicked
//! there) is gone: the VM is then refused when it starts again.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use basevm::arena::{self, ArenaId};
use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;
use spin::Mutex;
use vm_console::{Input, Size, Terminal};
use vm_disk::{BlockDevice, Command, Completion, RequestId};
use vm_display::{Frame, Screen};
use vm_entropy::Source;
use vm_keyboard::{KeyEvent, KeySource};
use vm_wasi::{Call, CallId, Finished, Tree};

struct Cell<T: ?Sized> {
    backend: Mutex<Option<Box<T>>>,
    arena: ArenaId,
}

/// Where a backend stays; it goes with it.
pub(crate) struct Lender<T: ?Sized>(Arc<Cell<T>>);

/// A backend, as a VM has it.
struct Lent<T: ?Sized>(Arc<Cell<T>>);

impl<T: ?Sized> Lender<T> {
    /// Takes a backend to be lent.
    pub fn new(backend: Box<T>) -> Lender<T> {
        Lender(Arc::new(Cell { backend: Mutex::new(Some(backend)), arena: arena::take() }))
    }

    fn lend(&self) -> Box<Lent<T>> {
        Box::new(Lent(self.0.clone()))
    }
}

impl<T: ?Sized> Drop for Lender<T> {
    /// A VM that was forgotten has not given its share back, so the cell may stay; the backend does not.
    fn drop(&mut self) {
        let backend = self.0.backend.lock().take();
        drop(backend);
        arena::give_back(self.0.arena);
    }
}

impl<T: ?Sized> Lent<T> {
    /// Uses the backend; `None` if there is none any more. It is out of its cell meanwhile: no lock is held.
    fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        arena::scope(self.0.arena, || {
            let mut backend = self.0.backend.lock().take()?;
            let result = body(&mut backend);
            *self.0.backend.lock() = Some(backend);
            Some(result)
        })
    }

    fn start(&self, start: impl FnOnce(&mut T) -> Result<(), Status>) -> Result<(), Status> {
        self.with(start).unwrap_or(Err(Status::DeviceError))
    }
}

impl Lender<dyn Screen> {
    /// The screen for the next incarnation of the display.
    pub fn screen(&self) -> Box<dyn Screen> {
        self.lend()
    }
}

impl Screen for Lent<dyn Screen> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        Lent::start(self, |screen| screen.start(waker))
    }

    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        self.with(|screen| screen.present(frame)).unwrap_or(Err(Status::DeviceError))
    }

    fn resized(&mut self) -> Option<(u32, u32)> {
        self.with(|screen| screen.resized())?
    }

    fn is_live(&self) -> bool {
        self.with(|screen| screen.is_live()).unwrap_or(false)
    }
}

impl Lender<dyn KeySource> {
    /// The keys for the next incarnation of the keyboard.
    pub fn keys(&self) -> Box<dyn KeySource> {
        self.lend()
    }
}

impl KeySource for Lent<dyn KeySource> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        Lent::start(self, |keys| keys.start(waker))
    }

    fn next(&mut self) -> Option<KeyEvent> {
        self.with(|keys| keys.next())?
    }

    fn is_live(&self) -> bool {
        self.with(|keys| keys.is_live()).unwrap_or(false)
    }
}

impl Lender<dyn BlockDevice> {
    /// The device for the next incarnation of the disk.
    pub fn block(&self) -> Box<dyn BlockDevice> {
        self.lend()
    }
}

impl BlockDevice for Lent<dyn BlockDevice> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        Lent::start(self, |block| block.start(waker))
    }

    fn sectors(&self) -> u64 {
        self.with(|block| block.sectors()).unwrap_or(0)
    }

    fn submit(&mut self, id: RequestId, mut command: Command) -> Result<(), Command> {
        if let Command::Read(_, buf) | Command::Write(_, buf) = &mut command {
            buf.let_go();
        }
        let mut command = Some(command);
        let submitted = self.with(|block| match command.take() {
            Some(command) => block.submit(id, command),
            None => Ok(()),
        });
        match (submitted, command) {
            (Some(result), _) => result,
            (None, Some(command)) => Err(command),
            (None, None) => Ok(()),
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        self.with(|block| block.poll())?
    }

    fn report(&mut self) -> Option<String> {
        self.with(|block| block.report())?
    }

    fn can_discard(&self) -> bool {
        self.with(|block| block.can_discard()).unwrap_or(false)
    }
}

impl Lender<dyn Terminal> {
    /// The terminal for the next incarnation of the console.
    pub fn terminal(&self) -> Box<dyn Terminal> {
        self.lend()
    }
}

impl Terminal for Lent<dyn Terminal> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        Lent::start(self, |terminal| terminal.start(waker))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        self.with(|terminal| terminal.write(bytes)).unwrap_or(Err(Status::DeviceError))
    }

    fn write_message(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        self.with(|terminal| terminal.write_message(bytes)).unwrap_or(Err(Status::DeviceError))
    }

    fn read(&mut self, into: &mut [u8]) -> Input {
        self.with(|terminal| terminal.read(into)).unwrap_or(Input::End)
    }

    fn is_input_coming(&self) -> bool {
        self.with(|terminal| terminal.is_input_coming()).unwrap_or(false)
    }

    fn size(&self) -> Size {
        self.with(|terminal| terminal.size()).unwrap_or_default()
    }
}

impl Lender<dyn Source> {
    /// The randomness for the next incarnation of the entropy VM.
    pub fn source(&self) -> Box<dyn Source> {
        self.lend()
    }
}

impl Source for Lent<dyn Source> {
    fn fill(&mut self, into: &mut [u8]) -> Result<(), Status> {
        self.with(|source| source.fill(into)).unwrap_or(Err(Status::DeviceError))
    }
}

impl Lender<dyn Tree> {
    /// The storage for the next incarnation of the WASI VM.
    pub fn tree(&self) -> Box<dyn Tree> {
        self.lend()
    }
}

impl Tree for Lent<dyn Tree> {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        Lent::start(self, |tree| tree.start(waker))
    }

    fn submit(&mut self, id: CallId, mut call: Call) -> Result<(), Call> {
        call.action.bufs_mut().for_each(Buf::let_go);
        let mut call = Some(call);
        let submitted = self.with(|tree| match call.take() {
            Some(call) => tree.submit(id, call),
            None => Ok(()),
        });
        match (submitted, call) {
            (Some(result), _) => result,
            (None, Some(call)) => Err(call),
            (None, None) => Ok(()),
        }
    }

    fn poll(&mut self) -> Option<Finished> {
        self.with(|tree| tree.poll())?
    }

    fn report(&mut self) -> Option<String> {
        self.with(|tree| tree.report())?
    }
}
