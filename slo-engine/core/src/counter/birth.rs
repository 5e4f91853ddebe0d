//! Series that are seen for the first time: whether their first value counts. Nothing here counts.

use super::{Counter, Kind, NewTarget, SeriesBatch, Starts};

/// What a series without a sample in the last `maxGap` turned out to be.
enum Birth {
    /// A new series of a target that was there: the counter's child appeared when it first counted.
    KnownTarget,
    /// The first series of a target; the newest earlier scrape of its job, if there was one.
    NewTarget { previous: Option<i64> },
}

impl Counter {
    /// The targets whose process start decides how this batch is counted. Empty in most batches.
    #[must_use]
    pub fn new_targets(&self, batch: &[SeriesBatch<'_>]) -> Vec<NewTarget> {
        let mut found: Vec<NewTarget> = Vec::new();
        let times = std::cell::OnceCell::new();
        for part in batch.iter().filter(|p| p.counts && p.created.is_none()) {
            let track = &self.series[part.series as usize];
            let mut previous = track.at;
            for sample in part.samples.iter().filter(|s| s.at > track.at) {
                let gap = sample.at - std::mem::replace(&mut previous, sample.at);
                let counts =
                    track.kind == Kind::Counter && sample.at >= self.open.from().start_millis();
                if gap <= self.rules.max_gap.as_millis() || !counts {
                    continue;
                }
                let times = times.get_or_init(|| self.times(batch));
                if let Birth::NewTarget { previous: Some(_) } =
                    self.birth(track.target, sample.at, times)
                {
                    let target = self.targets[track.target as usize].key.clone();
                    found.push(NewTarget { target, at: sample.at });
                }
            }
        }
        found.sort_by(|a, b| (a.at, &a.target).cmp(&(b.at, &b.target)));
        found.dedup();
        found
    }

    /// All births of a batch that count in full: (series, instant).
    pub(super) fn births(&self, batch: &[SeriesBatch<'_>], starts: Starts<'_>) -> Vec<(u32, i64)> {
        let mut full = Vec::new();
        let times = std::cell::OnceCell::new();
        for part in batch.iter().filter(|p| p.counts) {
            let track = &self.series[part.series as usize];
            let mut previous = track.at;
            for sample in part.samples.iter().filter(|s| s.at > track.at) {
                let gap = sample.at - std::mem::replace(&mut previous, sample.at);
                if gap <= self.rules.max_gap.as_millis() || track.kind != Kind::Counter {
                    continue;
                }
                let times = times.get_or_init(|| self.times(batch));
                let counts = match self.birth(track.target, sample.at, times) {
                    Birth::KnownTarget => true,
                    Birth::NewTarget { previous } => {
                        let key = &self.targets[track.target as usize].key;
                        let start = part.created.or_else(|| starts(key, sample.at));
                        previous.zip(start).is_some_and(|(scrape, start)| start > scrape)
                    }
                };
                if counts {
                    full.push((part.series, sample.at));
                }
            }
        }
        full.sort_unstable();
        full
    }

    /// The sample times of each target in a batch, sorted.
    fn times(&self, batch: &[SeriesBatch<'_>]) -> Vec<Vec<i64>> {
        let mut times = vec![Vec::new(); self.targets.len()];
        for part in batch {
            let track = &self.series[part.series as usize];
            let at = part.samples.iter().map(|s| s.at).filter(|at| *at > track.at);
            times[track.target as usize].extend(at);
        }
        for list in &mut times {
            list.sort_unstable();
            list.dedup();
        }
        times
    }

    fn birth(&self, target: u32, at: i64, times: &[Vec<i64>]) -> Birth {
        let max_gap = self.rules.max_gap.as_millis();
        let newest = |ix: usize| {
            let list = &times[ix];
            let here = list[..list.partition_point(|t| *t < at)].last().copied();
            here.max(self.targets[ix].before(at)).filter(|t| at - t <= max_gap)
        };
        if newest(target as usize).is_some() {
            return Birth::KnownTarget;
        }
        let job = &self.targets[target as usize].key.job;
        let same = self.targets.iter().enumerate().filter(|(_, t)| t.key.job == *job);
        Birth::NewTarget { previous: same.filter_map(|(ix, _)| newest(ix)).max() }
    }
}
