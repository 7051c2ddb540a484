//! Exits that the engine serves at once: memory, `str` and `buf`.

use alloc::format;
use alloc::string::String;

use compiler::abi::Exit;
use il::trap::TrapKind;

use super::guest::Guest;

/// An exit's value, or why the VM traps.
type Served = Result<u64, TrapKind>;

/// Serves an exit; `None` if it is not one of these.
pub(super) fn serve(guest: &mut Guest, exit: Exit) -> Option<Served> {
    let word = |index| guest.exit_arg(index);
    let int = |index| guest.exit_arg(index) as u32;
    Some(match exit {
        Exit::BufNew => guest.new_buf(int(0)),
        Exit::BufFree => {
            guest.free_buf(word(0));
            Ok(0)
        }
        Exit::StrFree => {
            guest.free_text(word(0));
            Ok(0)
        }
        Exit::StrConcat => guest.concat(word(0), word(1)),
        Exit::StrSlice => guest.slice(word(0), int(1), int(2)),
        Exit::StrFromI32 => guest.new_text(&format!("{}", int(0) as i32)),
        Exit::StrFromI64 => guest.new_text(&format!("{}", word(0) as i64)),
        Exit::StrFromF64 => guest.new_text(&f64_text(f64::from_bits(word(0)))),
        Exit::StrFromBool => guest.new_text(if word(0) & 1 == 1 { "true" } else { "false" }),
        Exit::StrAt => guest.text_at(int(0), int(1)),
        Exit::StrEq => Ok(u64::from(guest.text(word(0)) == guest.text(word(1)))),
        Exit::MemoryGrow => guest.grow_memory(int(0)).ok_or(TrapKind::MemoryOutOfBounds),
        Exit::MemoryFill => memory_fill(guest, int(0), int(1) as u8, int(2)),
        Exit::MemoryCopy => memory_copy(guest, int(0), int(1), int(2)),
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
        | Exit::DeviceTrap => return None,
    })
}

/// The shortest decimal that reads back as the same number, always with a `.` or an exponent:
/// `1.0`, `0.1`, `1e16`, `1e-7`, `-0.0`, `NaN`, `inf`, `-inf`. The exponent form begins at 1e16 and
/// below 1e-5. It is `core::fmt`'s, so hosted and metal agree.
fn f64_text(value: f64) -> String {
    format!("{value:?}")
}

fn memory_fill(guest: &mut Guest, address: u32, value: u8, len: u32) -> Served {
    let memory = guest.memory.as_mut().ok_or(TrapKind::MemoryOutOfBounds)?;
    memory.slice_mut(address, len).ok_or(TrapKind::MemoryOutOfBounds)?.fill(value);
    Ok(0)
}

fn memory_copy(guest: &mut Guest, to: u32, from: u32, len: u32) -> Served {
    let memory = guest.memory.as_mut().ok_or(TrapKind::MemoryOutOfBounds)?;
    memory.copy(to, from, len).map(|()| 0).ok_or(TrapKind::MemoryOutOfBounds)
}
