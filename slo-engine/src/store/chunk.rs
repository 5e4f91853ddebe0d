//! Many ledgers in one row: runs of bytes by slot, one after the other.

use std::collections::BTreeMap;

use slo_core::ledger::varint::{put, take};

/// How many ledgers share a row.
pub(super) const SLOTS: u32 = 64;

/// Bytes by slot, as they lie in a row.
pub(super) type Slots<'a> = BTreeMap<u32, &'a [u8]>;

/// A row with some slots replaced or added; both are in the order of slots.
///
/// # Errors
/// A sentence when the old row is none.
pub(super) fn pack(old: &[u8], new: &[(u32, &[u8])]) -> Result<Vec<u8>, String> {
    let room = old.len() + new.iter().map(|(_, bytes)| bytes.len() + 4).sum::<usize>();
    let (mut out, mut new) = (Vec::with_capacity(room), new.iter().copied().peekable());
    for slot in slots(old) {
        let (slot, bytes) = slot?;
        while let Some(before) = new.next_if(|(at, _)| *at < slot) {
            put_slot(&mut out, before);
        }
        let replaced = new.next_if(|(at, _)| *at == slot);
        put_slot(&mut out, replaced.unwrap_or((slot, bytes)));
    }
    new.for_each(|slot| put_slot(&mut out, slot));
    Ok(out)
}

fn put_slot(out: &mut Vec<u8>, (slot, bytes): (u32, &[u8])) {
    put(out, u64::from(slot));
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Slots from a run of bytes.
///
/// # Errors
/// A sentence when the bytes are no slots.
pub(super) fn unpack(rest: &[u8]) -> Result<Slots<'_>, String> {
    slots(rest).collect()
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
    fn a_row_keeps_the_slots_that_are_not_replaced() {
        let long = [9; 300];
        let row = pack(&[], &[(0, &[1, 2]), (7, &[]), (63, &long)]).unwrap();
        assert_eq!(unpack(&row), Ok([(0, &[1, 2][..]), (7, &[]), (63, &long)].into()));
        let row = pack(&row, &[(3, &[3]), (7, &[7, 7]), (8, &[])]).unwrap();
        let now = [(0, &[1, 2][..]), (3, &[3]), (7, &[7, 7]), (8, &[]), (63, &long)];
        assert_eq!(unpack(&row), Ok(now.into()));
        assert!(pack(&[64, 0], &[(1, &[])]).is_err());
    }

    #[test]
    fn damaged_rows_are_errors() {
        assert!(
            unpack(&[64, 0]).is_err() && unpack(&[1, 5, 0]).is_err() && unpack(&[0x80]).is_err()
        );
    }
}
