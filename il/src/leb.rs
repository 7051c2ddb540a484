//! LEB128 in its shortest form only, so that a module has exactly one encoding.

use alloc::vec::Vec;

/// Why bytes are not a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LebError {
    /// The bytes end inside the number.
    Truncated,
    /// The number does not fit its type.
    TooLarge,
    /// A shorter encoding of the same number exists.
    NotShortest,
}

/// Appends an unsigned number.
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub fn write_i64(out: &mut Vec<u8>, mut value: i64) {
    while !(-0x40..0x40).contains(&value) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8 & 0x7f);
}

/// Reads an unsigned number of at most 64 bits; returns it and its length in bytes.
pub fn read_u64(bytes: &[u8]) -> Result<(u64, usize), LebError> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().enumerate() {
        let low = u64::from(byte & 0x7f);
        if at == 9 && byte > 1 {
            return Err(LebError::TooLarge);
        }
        value |= low << (7 * at);
        if byte & 0x80 == 0 {
            return if byte == 0 && at > 0 { Err(LebError::NotShortest) } else { Ok((value, at + 1)) };
        }
    }
    Err(LebError::Truncated)
}

/// Reads an unsigned number of at most 32 bits.
pub fn read_u32(bytes: &[u8]) -> Result<(u32, usize), LebError> {
    let (value, length) = read_u64(bytes)?;
    u32::try_from(value).map(|value| (value, length)).map_err(|_| LebError::TooLarge)
}

/// Reads a signed number of at most 64 bits.
pub fn read_i64(bytes: &[u8]) -> Result<(i64, usize), LebError> {
    let mut value = 0i64;
    let mut previous = 0u8;
    for (at, &byte) in bytes.iter().enumerate() {
        if at == 9 && byte != 0 && byte != 0x7f {
            return Err(LebError::TooLarge);
        }
        value |= i64::from(byte & 0x7f) << (7 * at).min(63);
        if byte & 0x80 == 0 {
            if at < 9 && byte & 0x40 != 0 {
                value |= -1i64 << (7 * (at + 1));
            }
            let redundant = at > 0 && ((byte == 0 && previous & 0x40 == 0) || (byte == 0x7f && previous & 0x40 != 0));
            return if redundant { Err(LebError::NotShortest) } else { Ok((value, at + 1)) };
        }
        previous = byte;
    }
    Err(LebError::Truncated)
}

/// Reads a signed number of at most 32 bits.
pub fn read_i32(bytes: &[u8]) -> Result<(i32, usize), LebError> {
    let (value, length) = read_i64(bytes)?;
    i32::try_from(value).map(|value| (value, length)).map_err(|_| LebError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_longer_forms() {
        for value in [0, 1, -1, 63, 64, -64, -65, 127, 128, i64::MAX, i64::MIN, i64::from(i32::MIN)] {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(read_i64(&out), Ok((value, out.len())), "{value}");
            let mut out = Vec::new();
            write_u64(&mut out, value as u64);
            assert_eq!(read_u64(&out), Ok((value as u64, out.len())), "{value}");
        }
        assert_eq!(read_u64(&[0x80, 0]), Err(LebError::NotShortest));
        assert_eq!(read_i64(&[0xff, 0x7f]), Err(LebError::NotShortest));
        assert_eq!(read_u64(&[0x80]), Err(LebError::Truncated));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x7f]), Err(LebError::TooLarge));
    }
}
