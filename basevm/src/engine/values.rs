//! Values between packet form and the VM: parameters, results, replies.
//!
//! A `v128` takes two of the VM's values, the low half first. An object comes in by its address, once its region is held by
//! the VM's heap; a capability by the slot that the base has opened for it.

use alloc::vec::Vec;

use il::Type;
use il::packet::{Builder, MAX_OPERANDS, Reader, Value};
use il::trap::{Status, TrapKind};

use super::guest::Guest;
use super::program::empty_buf;
use crate::attachment::Attachment;
use crate::service::Reply;

/// Words that a value of this type takes among the VM's values.
fn words_of(ty: Type) -> usize {
    if ty == Type::V128 { 2 } else { 1 }
}

/// Decodes `words` into the VM's values from index `first` on, giving it the attachments named.
/// Nothing is changed if that fails (but for what a collection changes).
pub(super) fn store(
    guest: &mut Guest,
    first: usize,
    types: impl Iterator<Item = Type> + Clone,
    words: &[u64],
    attachments: &mut [Option<Attachment>],
) -> Result<(), Status> {
    let mut values = [None; MAX_OPERANDS];
    let count = decode(&mut values, types.clone(), words, attachments)?;
    for (value, ty) in values[..count].iter().zip(types.clone()) {
        check_attached(guest, *value, ty, attachments)?;
    }
    let mut at = first;
    // Texts first, for only they can fail.
    for (value, ty) in values[..count].iter().zip(types.clone()) {
        if let Some(Value::Str(text)) = value {
            let address = guest.new_text(text).map_err(|_| Status::Quota)?;
            guest.set_reference(at, address);
        }
        at += words_of(ty);
    }
    at = first;
    for (value, ty) in values[..count].iter().zip(types) {
        store_one(guest, at, *value, attachments);
        at += words_of(ty);
    }
    Ok(())
}

fn store_one(guest: &mut Guest, at: usize, value: Option<Value<'_>>, attachments: &mut [Option<Attachment>]) {
    let word = match value {
        Some(Value::I32(value)) => u64::from(value as u32),
        Some(Value::I64(value)) => value as u64,
        Some(Value::F32(value)) => u64::from(value.to_bits()),
        Some(Value::F64(value)) => value.to_bits(),
        Some(Value::V128(value)) => {
            guest.set_value(at + 1, (value >> 64) as u64);
            value as u64
        }
        Some(Value::Bool(value)) => u64::from(value),
        Some(Value::Str(_)) | None => return,
        Some(Value::Buf(index)) => {
            let attachment = attachments.get_mut(index as usize).and_then(Option::take);
            match attachment.map(Attachment::buf) {
                Some(Ok(buf)) => guest.hold(buf),
                Some(Err(_)) | None => empty_buf(),
            }
        }
        Some(Value::OptRef(None)) => 0,
        Some(Value::Ref(index) | Value::OptRef(Some(index))) => {
            match attachments.get_mut(index as usize).and_then(Option::take) {
                Some(Attachment::Object(object)) => return guest.adopt(at, object),
                Some(Attachment::Cap(capability)) => {
                    let slot = capability.slot.unwrap_or_default();
                    guest.meet_capability(slot as usize);
                    return guest.set_reference(at, u64::from(slot) << 1 | 1);
                }
                Some(Attachment::Buf(_)) | None => unreachable!("checked before"),
            }
        }
    };
    guest.set_value(at, word);
}

/// Checks that an attachment is of the type that it has to be of.
fn check_attached(
    guest: &mut Guest,
    value: Option<Value<'_>>,
    ty: Type,
    attachments: &[Option<Attachment>],
) -> Result<(), Status> {
    let Some(Value::Ref(index) | Value::OptRef(Some(index))) = value else { return Ok(()) };
    let fits = match attachments.get(index as usize) {
        Some(Some(Attachment::Object(object))) => guest.fits(object, ty),
        Some(Some(Attachment::Cap(capability))) => match (capability.slot, ty) {
            (Some(_), Type::Any | Type::OptAny) => true,
            (Some(slot), Type::Ref(def) | Type::Opt(def)) => guest.is_cap(slot as usize, def),
            _ => false,
        },
        _ => false,
    };
    if fits { Ok(()) } else { Err(Status::BadOperand) }
}

/// Checks `words` against types, and marks the attachments that they name.
pub(super) fn attached_in(
    types: impl Iterator<Item = Type>,
    words: &[u64],
    attachments: &[Option<Attachment>],
    used: &mut [bool],
) -> Result<(), Status> {
    let mut values = [None; MAX_OPERANDS];
    let count = decode(&mut values, types, words, attachments)?;
    for value in &values[..count] {
        if let Some(index) = value.as_ref().and_then(Value::attachment) {
            *used.get_mut(index as usize).ok_or(Status::BadOperand)? = true;
        }
    }
    Ok(())
}

fn decode<'a>(
    values: &mut [Option<Value<'a>>; MAX_OPERANDS],
    types: impl Iterator<Item = Type>,
    words: &'a [u64],
    attachments: &[Option<Attachment>],
) -> Result<usize, Status> {
    let mut reader = Reader::new(words);
    let mut count = 0;
    for ty in types {
        let value = reader.next(ty)?;
        if let Some(index) = value.attachment() {
            let is_buf = match attachments.get(index as usize) {
                Some(Some(attachment)) => attachment.as_buf().is_some(),
                Some(None) | None => return Err(Status::BadOperand),
            };
            let named = |before: &Option<Value<'_>>| before.and_then(|before| before.attachment()) == Some(index);
            if is_buf != matches!(value, Value::Buf(_)) || values[..count].iter().any(named) {
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
pub(super) fn store_defaults(guest: &mut Guest, first: usize, types: impl Iterator<Item = Type>) {
    let mut at = first;
    for ty in types {
        let word = match ty {
            Type::Str => guest.empty_text(),
            Type::Buf | Type::BufRef => empty_buf(),
            Type::V128 => {
                guest.set_value(at + 1, 0);
                0
            }
            Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::Bool => 0,
            // Null, which the verifier gives such results' destinations room for.
            Type::Any | Type::OptStr | Type::OptBuf | Type::OptAny | Type::Ref(_) | Type::Opt(_) => 0,
        };
        guest.set_value(at, word);
        at += words_of(ty);
    }
}

/// Takes values of these types, all of which packets can carry, from the VM's values, from index 0 on. May collect.
///
/// # Errors
/// Why the VM traps: a value cannot leave it, or cannot be paid for.
pub(super) fn load(guest: &mut Guest, types: impl Iterator<Item = Type> + Clone) -> Result<Reply, TrapKind> {
    share(guest, types.clone())?;
    let mut builder = Builder::default();
    let mut attachments = Vec::new();
    let mut at = 0;
    for ty in types {
        let word = guest.value(at);
        match ty {
            Type::I32 => builder.push(Value::I32(word as i32)),
            Type::I64 => builder.push(Value::I64(word as i64)),
            Type::F32 => builder.push(Value::F32(f32::from_bits(word as u32))),
            Type::F64 => builder.push(Value::F64(f64::from_bits(word))),
            Type::V128 => builder.push(Value::V128(u128::from(word) | u128::from(guest.value(at + 1)) << 64)),
            Type::Bool => builder.push(Value::Bool(word & 1 == 1)),
            Type::Str => {
                // What cannot be text cannot be made by verified code; an empty `str` stands for it.
                builder.push(Value::Str(core::str::from_utf8(guest.text(word)).unwrap_or_default()))
            }
            Type::Buf | Type::BufRef => {
                builder.push(Value::Buf(attachments.len() as u32));
                attachments.extend(guest.release(word).map(Attachment::from));
                &mut builder
            }
            Type::Any | Type::Ref(_) => {
                builder.push(Value::Ref(attachments.len() as u32));
                attachments.extend(guest.shared(word));
                &mut builder
            }
            Type::OptStr | Type::OptAny | Type::Opt(_) => {
                let shared = guest.shared(word);
                builder.push(Value::OptRef(shared.as_ref().map(|_| attachments.len() as u32)));
                attachments.extend(shared);
                &mut builder
            }
            Type::OptBuf => unreachable!("verified: a `?buf` is no operand"),
        };
        at += words_of(ty);
    }
    Ok(Reply { words: builder.words, attachments })
}

/// Makes references among the values fit to leave the VM.
fn share(guest: &mut Guest, types: impl Iterator<Item = Type> + Clone) -> Result<(), TrapKind> {
    if !types.clone().any(Type::is_attached) {
        return Ok(());
    }
    let mut at = 0;
    for ty in types.clone() {
        if ty.is_reference() {
            guest.keep_value(at);
        }
        at += words_of(ty);
    }
    at = 0;
    for ty in types {
        if ty.is_attached() {
            guest.share_value(at)?;
        }
        at += words_of(ty);
    }
    Ok(())
}
