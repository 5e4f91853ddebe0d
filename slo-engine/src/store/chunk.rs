//! Many ledgers in one row: runs of bytes by slot, one after the other.

use std::collections::BTreeMap;

use slo_core::ledger::varint::{put, take};

/// How many ledgers share a row.
pub(super) const SLOTS: u32 = 64;

/// Bytes by slot.
pub(super) type Slots = BTreeMap<u32, Vec<u8>>;

/// Slots as one run of bytes.
#[must_use]
pub(super) fn pack(slots: &Slots) -> Vec<u8> {
    let mut out = Vec::with_capacity(slots.values().map(|b| b.len() + 4).sum());
    for (slot, bytes) in slots {
        put(&mut out, u64::from(*slot));
        put(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    out
}

/// Slots from a run of bytes.
///
/// # Errors
/// A sentence when the bytes are no slots.
pub(super) fn unpack(rest: &[u8]) -> Result<Slots, String> {
    slots(rest).map(|slot| slot.map(|(slot, bytes)| (slot, bytes.to_vec()))).collect()
}

/// Slots as they lie in a run of bytes; a sentence where the bytes are no slots.
pub(super) fn slots(mut rest: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8]), String>> {
    std::iter::from_fn(move || {
        let found = (!rest.is_empty()).then(|| slot(&mut rest))?;
        if found.is_err() {
            rest = &[];
        }
        Some(found)
    })
}

fn slot<'a>(rest: &mut &'a [u8]) -> Result<(u32, &'a [u8]), String> {
    let slot = u32::try_from(take(rest)?).ok().filter(|slot| *slot < SLOTS);
    let slot = slot.ok_or("a row holds a slot beyond its size")?;
    let length = usize::try_from(take(rest)?).unwrap_or(usize::MAX);
    let (bytes, after) = rest.split_at_checked(length).ok_or("a row ends early")?;
    *rest = after;
    Ok((slot, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back() {
        let slots: Slots = [(0, vec![1, 2]), (7, vec![]), (63, vec![9; 300])].into();
        assert_eq!(unpack(&pack(&slots)), Ok(slots));
    }

    #[test]
    fn damaged_rows_are_errors() {
        assert!(
            unpack(&[64, 0]).is_err() && unpack(&[1, 5, 0]).is_err() && unpack(&[0x80]).is_err()
        );
    }
}
