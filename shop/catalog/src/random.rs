//! Draws that depend on a seed and an ordinal alone, so that the n-th decision can be computed again.

/// SplitMix64's finalizer (Steele, Lea, Flood 2014) over the n-th state of `seed`.
pub(crate) fn draw(seed: u64, ordinal: u64) -> u64 {
    let state = seed.wrapping_add(ordinal.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// The same draw as a number in [0, 1) with 53 bits.
pub(crate) fn unit(seed: u64, ordinal: u64) -> f64 {
    (draw(seed, ordinal) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_0_gives_the_published_splitmix64_sequence() {
        let first: Vec<u64> = (0..3).map(|n| draw(0, n)).collect();
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn a_tenth_of_100_000_draws_lies_below_0_1() {
        let hits = (0..100_000).filter(|n| unit(7, *n) < 0.1).count();
        assert!((9_700..=10_300).contains(&hits), "{hits} of 100000");
    }
}
