//! Runs of minutes: which minutes a target covers, and where targets are missing.

use crate::time::Minute;

/// A set of minutes as sorted, disjoint runs `from..=to`; in practice one or two.
#[derive(Debug, Clone, Default)]
pub(super) struct Cover(Vec<(Minute, Minute)>);

impl Cover {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, from: Minute, to: Minute) {
        let first = self.0.partition_point(|run| run.1 + 1 < from);
        let last = self.0.partition_point(|run| run.0 <= to + 1);
        if first == last {
            // Mostly there is one run.
            self.0.reserve_exact(1);
            self.0.insert(first, (from, to));
            return;
        }
        let joined = (self.0[first].0.min(from), self.0[last - 1].1.max(to));
        self.0[first] = joined;
        self.0.drain(first + 1..last);
    }

    pub(super) fn forget_before(&mut self, minute: Minute) {
        self.0.retain(|run| run.1 >= minute);
    }

    /// Adds +1 at each run's start and -1 after its end, clipped to `from..to`.
    fn steps(&self, from: Minute, to: Minute, steps: &mut [i32]) {
        for (a, b) in self.0.iter().filter(|(a, b)| *b >= from && *a < to) {
            let at = |minute: Minute| usize::try_from(minute - from).unwrap_or(0);
            steps[at((*a).max(from))] += 1;
            steps[at((*b + 1).min(to))] -= 1;
        }
    }
}

/// Joins the samples of one series into runs of covered minutes.
pub(super) struct Runs {
    from: Option<i64>,
    to: i64,
    done: Vec<(Minute, Minute)>,
}

impl Runs {
    pub(super) const fn new() -> Self {
        Self { from: None, to: 0, done: Vec::new() }
    }

    pub(super) fn sample(&mut self, previous: i64, at: i64, look_back: i64) {
        if at - previous > look_back {
            self.end(previous);
        } else if self.from.is_none() {
            self.from = Some(previous);
        }
        self.to = at;
    }

    pub(super) fn finish(mut self, last: i64) -> Vec<(Minute, Minute)> {
        self.end(last);
        self.done
    }

    fn end(&mut self, at: i64) {
        if let Some(from) = self.from.take() {
            self.done.push((Minute::of_millis(from), Minute::of_millis(at)));
        }
    }
}

/// The minutes of `from..to` that some target covers and in which more than 20 % of the targets of
/// the hour before are missing.
pub(super) fn short_of_targets<'a>(
    targets: impl Iterator<Item = (&'a Cover, &'a Cover)>,
    from: Minute,
    to: Minute,
) -> Vec<Minute> {
    let length = usize::try_from(to - from).unwrap_or(0);
    let (mut covered, mut seen, mut both) =
        (vec![0; length + 1], vec![0; length + 1], vec![0; length + 1]);
    for (cover, sight) in targets {
        cover.steps(from, to, &mut covered);
        sight.steps(from, to, &mut seen);
        cover.and(sight).steps(from, to, &mut both);
    }
    let (mut here, mut expected, mut present) = (0, 0, 0);
    let mut short = Vec::new();
    for ix in 0..length {
        here += covered[ix];
        expected += seen[ix];
        present += both[ix];
        if here > 0 && (expected - present) * 5 > expected {
            short.push(from + i64::try_from(ix).unwrap_or(0));
        }
    }
    short
}

impl Cover {
    /// The minutes of both.
    fn and(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        for (a, b) in &self.0 {
            for (c, d) in &other.0 {
                let (from, to) = ((*a).max(*c), (*b).min(*d));
                if from <= to {
                    runs.push((from, to));
                }
            }
        }
        Self(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_when_they_touch_and_stay_sorted() {
        let mut cover = Cover::new();
        for (a, b) in [(10, 12), (20, 22), (1, 3), (13, 14), (4, 9), (23, 23)] {
            cover.add(Minute(a), Minute(b));
        }
        assert_eq!(cover.0, [(Minute(1), Minute(14)), (Minute(20), Minute(23))]);
        cover.add(Minute(0), Minute(40));
        assert_eq!(cover.0, [(Minute(0), Minute(40))]);
    }
}
