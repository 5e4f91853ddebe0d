//! Ids of decisions and of what is recorded: 48 bits of time and 80 random bits, written so that
//! sorted texts are sorted by time (ULID).

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom, SystemRandom};

/// Letters that are not taken for others.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id.
///
/// # Panics
/// When the system has no random numbers.
#[must_use]
pub fn new(now: DateTime<Utc>) -> String {
    let mut random = [0; 10];
    SystemRandom::new().fill(&mut random).expect("the system has random numbers");
    let millis = u128::try_from(now.timestamp_millis()).unwrap_or(0) & 0xffff_ffff_ffff;
    written(random.iter().fold(millis, |bits, byte| bits << 8 | u128::from(*byte)))
}

fn written(bits: u128) -> String {
    let letter = |at: u32| char::from(LETTERS[(bits >> (5 * at) & 31) as usize]);
    (0..26).rev().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_later_instants_sort_after_earlier_ones_and_differ() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (a, b) = (new(at("2026-11-21T10:00:00Z")), new(at("2026-11-21T10:00:00.001Z")));
        assert!(a < b && a.len() == 26 && b.starts_with("01M"), "{a} {b}");
        assert_ne!(new(at("2026-11-21T10:00:00Z")), a);
    }

    #[test]
    fn the_bits_are_written_five_at_a_time() {
        assert_eq!(written(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(written(33), "00000000000000000000000011");
    }
}
