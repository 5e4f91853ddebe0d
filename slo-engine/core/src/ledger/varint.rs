//! Whole numbers in few bytes (LEB128, as protocol buffers write them).

/// A signed number whose small values, of either sign, are small.
#[must_use]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The signed number again.
#[must_use]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Appends a number in as few bytes as it needs, seven bits each.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front.
///
/// # Errors
/// A sentence when the bytes end early or the number is too long.
#[inline]
pub fn take(rest: &mut &[u8]) -> Result<u64, &'static str> {
    // Most numbers are small.
    match **rest {
        [byte, ref tail @ ..] if byte < 0x80 => {
            *rest = tail;
            Ok(u64::from(byte))
        }
        [low, high, ref tail @ ..] if high < 0x80 => {
            *rest = tail;
            Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
        }
        _ => take_long(rest),
    }
}

fn take_long(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or("packed data ends early")?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("packed data holds a number that is too long")
}
