//! Exits that the engine serves at once: objects, memory, `str` and `buf`.

use alloc::format;
use alloc::string::String;

use compiler::abi::{Exit, KIND_SHIFT};
use il::trap::TrapKind;
use il::{MemoryId, TypeId, limits};

use super::guest::Guest;
use super::memory::Place;

/// An exit's value, or why the VM traps.
type Served = Result<u64, TrapKind>;

/// Serves an exit; `None` if it is not one of these.
pub(super) fn serve(guest: &mut Guest, exit: Exit) -> Option<Served> {
    let word = |index| guest.exit_arg(index);
    let int = |index| guest.exit_arg(index) as u32;
    let place = |address, memory| Place { memory: MemoryId(int(memory)), address: int(address) };
    Some(match exit {
        Exit::BufNew => guest.new_buf(int(0)),
        Exit::BufFree => {
            guest.free_buf(word(0));
            Ok(0)
        }
        Exit::Alloc => alloc(guest, int(0), int(1)),
        Exit::Remember => guest.remember(word(0)).map(|()| 0),
        Exit::IsType => Ok(u64::from(guest.is_type(word(0), TypeId(int(1))))),
        Exit::Freeze => guest.freeze(),
        Exit::Share => guest.share(),
        Exit::Attach => Ok(guest.attach(word(0) as usize, word(1), word(2))),
        Exit::StrConcat => guest.concat(),
        Exit::StrSlice => guest.slice(int(1), int(2)),
        Exit::StrFromI32 => guest.new_text(&format!("{}", int(0) as i32)),
        Exit::StrFromI64 => guest.new_text(&format!("{}", word(0) as i64)),
        Exit::StrFromF32 => guest.new_text(&f32_text(f32::from_bits(int(0)))),
        Exit::StrFromF64 => guest.new_text(&f64_text(f64::from_bits(word(0)))),
        Exit::StrFromBool => guest.new_text(if word(0) & 1 == 1 { "true" } else { "false" }),
        Exit::StrAt => guest.text_at(place(0, 2), int(1)),
        Exit::StrEq => Ok(u64::from(guest.text(word(0)) == guest.text(word(1)))),
        Exit::MemoryGrow => guest.grow_memory(MemoryId(int(1)), int(0)).ok_or(TrapKind::MemoryOutOfBounds),
        Exit::MemoryFill => {
            let (at, value, len) = (place(0, 3), int(1) as u8, int(2));
            guest.memories.set(at, value, len).map(|()| 0)
        }
        Exit::MemoryCopy => {
            let (to, from, len) = (place(0, 3), place(1, 4), int(2));
            guest.memories.copy(to, from, len).map(|()| 0)
        }
        Exit::MemoryInit => {
            let (to, from, len, data) = (place(0, 4), int(1), int(2), int(3) as usize);
            guest.init_memory(to, data, from, len).map(|()| 0)
        }
        Exit::DataDrop => {
            let data = int(0) as usize;
            guest.memories.drop_data(data);
            Ok(0)
        }
        Exit::BufAt => guest.buf_at(place(0, 2), int(1)),
        Exit::BufWrite => {
            let (to, from, len) = ((word(0), int(1)), place(2, 4), int(3));
            guest.write_buf(to, from, len).map(|()| 0)
        }
        Exit::MemoryWrite => {
            let (to, from, len) = (place(0, 4), (word(1), int(2)), int(3));
            guest.write_memory(to, from, len).map(|()| 0)
        }
        Exit::NewArray => guest.constant_array(word(0) as usize),
        Exit::BufCopy => {
            let (to, from, len) = ((word(0), int(1)), (word(2), int(3)), int(4));
            guest.copy_bufs(to, from, len).map(|()| 0).ok_or(TrapKind::IndexOutOfBounds)
        }
        Exit::Done
        | Exit::Yield
        | Exit::Room
        | Exit::Call
        | Exit::Flush
        | Exit::Wait
        | Exit::WaitForever
        | Exit::Fail
        | Exit::Trap
        | Exit::DeviceTrap
        | Exit::Attenuate
        | Exit::Revoke
        | Exit::Run
        | Exit::RunSend
        | Exit::Own
        | Exit::Forward
        | Exit::Quit => return None,
    })
}

/// The shortest decimal that reads back as the same number, always with a `.` or an exponent:
/// `1.0`, `0.1`, `1e16`, `1e-7`, `-0.0`, `NaN`, `inf`, `-inf`. The exponent form begins at 1e16 and
/// below 1e-5. It is `core::fmt`'s, so hosted and metal agree.
fn f64_text(value: f64) -> String {
    format!("{value:?}")
}

/// The same for an `f32`: the shortest that reads back as the same `f32`.
fn f32_text(value: f32) -> String {
    format!("{value:?}")
}

/// Of an object with this type word.
fn alloc(guest: &mut Guest, ty: u32, len: u32) -> Served {
    if len as usize > limits::ARRAY_ELEMENTS {
        return Err(TrapKind::Quota);
    }
    guest.alloc(ty >> KIND_SHIFT, len)
}
