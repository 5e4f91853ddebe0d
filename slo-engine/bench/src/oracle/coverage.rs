//! Which minutes are measured, and in which of them targets are missing.

use std::collections::BTreeMap;

use super::{Fed, MINUTE, Rules, Target};

/// The first minute with a sample, and from it on when each minute became measured: at the sample
/// that closed a pair around it; never is the far future.
pub(super) fn measured(series: &[&Fed], seen: &[i64], rules: Rules) -> (i64, Vec<i64>) {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return (0, Vec::new()) };
    let (first, last) = (first.div_euclid(MINUTE), last.div_euclid(MINUTE));
    let length = usize::try_from(last - first + 1).unwrap_or(0);
    (first, covered(series, first, length, rules))
}

fn covered(series: &[&Fed], first: i64, length: usize, rules: Rules) -> Vec<i64> {
    let mut at = vec![i64::MAX; length];
    for one in series {
        let near = one.samples.windows(2).filter(|pair| pair[1].0 - pair[0].0 <= rules.look_back);
        for pair in near {
            let minutes = pair[0].0.div_euclid(MINUTE)..=pair[1].0.div_euclid(MINUTE);
            for minute in minutes {
                let known = &mut at[usize::try_from(minute - first).unwrap_or(0)];
                *known = (*known).min(pair[1].0);
            }
        }
    }
    at
}

/// From the first minute on, which minutes are measured while more than a fifth of the targets that
/// had a sample in the 60 minutes before are not.
pub(super) fn partial(series: &[&Fed], first: i64, length: usize, rules: Rules) -> Vec<bool> {
    let mut targets: BTreeMap<&Target, Vec<&Fed>> = BTreeMap::new();
    for one in series {
        targets.entry(&one.target).or_default().push(one);
    }
    if targets.len() < 2 {
        return vec![false; length];
    }
    let (mut here, mut seen, mut missing) = (vec![0; length], vec![0; length], vec![0; length]);
    for of_target in targets.values() {
        let covered = covered(of_target, first, length, rules);
        let seen_before = seen_before(of_target, first, length);
        for at in 0..length {
            let covers = covered[at] < i64::MAX;
            here[at] += i64::from(covers);
            seen[at] += i64::from(seen_before[at]);
            missing[at] += i64::from(seen_before[at] && !covers);
        }
    }
    (0..length).map(|at| here[at] > 0 && missing[at] * 5 > seen[at]).collect()
}

fn seen_before(series: &[&Fed], first: i64, length: usize) -> Vec<bool> {
    let mut seen = vec![false; length];
    for (at, _) in series.iter().flat_map(|one| &one.samples) {
        let minute = usize::try_from(at.div_euclid(MINUTE) - first).unwrap_or(0);
        let after = (minute + 1).min(length)..(minute + 61).min(length);
        seen[after].fill(true);
    }
    seen
}
