//! Values between packet form and the VM: parameters, results, replies.

use alloc::vec::Vec;

use il::Type;
use il::packet::{Builder, MAX_OPERANDS, Reader, Value};
use il::trap::Status;

use super::guest::Guest;
use super::program::empty_buf;
use crate::buf::Buf;
use crate::service::Reply;

/// Decodes `words` into the VM's values from index `first` on, giving it the attachments named.
/// Nothing is changed if that fails.
pub(super) fn store(
    guest: &mut Guest,
    first: usize,
    types: impl Iterator<Item = Type>,
    words: &[u64],
    attachments: &mut [Option<Buf>],
) -> Result<(), Status> {
    let mut values = [None; MAX_OPERANDS];
    let count = decode(&mut values, types, words, attachments)?;
    let values = &values[..count];
    let mut raw = [0; MAX_OPERANDS];
    for (at, value) in values.iter().enumerate() {
        let Some(Value::Str(text)) = value else { continue };
        match guest.new_text(text) {
            Ok(address) => raw[at] = address,
            Err(_) => {
                let made = values[..at].iter().zip(raw).filter(|(value, _)| matches!(value, Some(Value::Str(_))));
                made.for_each(|(_, address)| guest.drop_text(address));
                return Err(Status::Quota);
            }
        }
    }
    for (at, value) in values.iter().enumerate() {
        let word = match value {
            Some(Value::I32(value)) => u64::from(*value as u32),
            Some(Value::I64(value)) => *value as u64,
            Some(Value::F64(value)) => value.to_bits(),
            Some(Value::Bool(value)) => u64::from(*value),
            Some(Value::Str(_)) => raw[at],
            Some(Value::Buf(index)) => {
                let buf = attachments.get_mut(*index as usize).and_then(Option::take);
                buf.map_or(empty_buf(), |buf| guest.hold(buf))
            }
            None => 0,
        };
        guest.set_value(first + at, word);
    }
    Ok(())
}

fn decode<'a>(
    values: &mut [Option<Value<'a>>; MAX_OPERANDS],
    types: impl Iterator<Item = Type>,
    words: &'a [u64],
    attachments: &[Option<Buf>],
) -> Result<usize, Status> {
    let mut reader = Reader::new(words);
    let mut count = 0;
    for ty in types {
        let value = reader.next(ty)?;
        if let Value::Buf(index) = value {
            let present = attachments.get(index as usize).is_some_and(Option::is_some);
            if !present || values[..count].contains(&Some(value)) {
                return Err(Status::BadOperand);
            }
        }
        *values.get_mut(count).ok_or(Status::BadOperand)? = Some(value);
        count += 1;
    }
    reader.finish()?;
    Ok(count)
}

/// Sets the VM's values from index `first` on to what a failed instruction gives.
pub(super) fn store_defaults(guest: &mut Guest, first: usize, types: impl Iterator<Item = Type>, empty_str: u64) {
    for (at, ty) in types.enumerate() {
        let word = match ty {
            Type::Str => empty_str,
            Type::Buf | Type::BufRef => empty_buf(),
            Type::I32 | Type::I64 | Type::F64 | Type::Bool => 0,
        };
        guest.set_value(first + at, word);
    }
}

/// Takes results of these types from the VM's values, from index 0 on.
pub(super) fn load(guest: &mut Guest, types: &[Type]) -> Reply {
    let mut builder = Builder::default();
    let mut attachments = Vec::new();
    for (at, ty) in types.iter().enumerate() {
        let word = guest.value(at);
        match ty {
            Type::I32 => builder.push(Value::I32(word as i32)),
            Type::I64 => builder.push(Value::I64(word as i64)),
            Type::F64 => builder.push(Value::F64(f64::from_bits(word))),
            Type::Bool => builder.push(Value::Bool(word & 1 == 1)),
            Type::Str => {
                // What cannot be text cannot be made by verified code; an empty `str` stands for it.
                builder.push(Value::Str(core::str::from_utf8(guest.text(word)).unwrap_or_default()));
                guest.drop_text(word);
                &mut builder
            }
            Type::Buf | Type::BufRef => {
                builder.push(Value::Buf(attachments.len() as u32));
                attachments.extend(guest.release(word));
                &mut builder
            }
        };
    }
    Reply { words: builder.words, attachments }
}
