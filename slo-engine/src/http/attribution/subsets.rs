//! What the groups of an SLO, or the values of a label, spent.

use slo_core::bucket::Sums;
use slo_core::ledger::Hour;
use slo_core::subset::Subset;
use slo_core::time::Minute;

use super::{Counts, Whose};
use crate::store::{Store, StoreError};

/// Hours that are in memory at once.
const AT_ONCE: i64 = 48;

/// The events of each subset in minutes `from..to`, and those of none: where events were not told apart yet.
pub(super) async fn counted(
    store: &Store,
    whole: u32,
    label: Option<&str>,
    (from, to): (Minute, Minute),
) -> Result<Vec<(Whose, Counts)>, StoreError> {
    let wanted = |subset: &Subset| match (subset, label) {
        (Subset::Group(_), None) => true,
        (Subset::Attribute(name, _), Some(label)) => name == label,
        _ => false,
    };
    let subsets = store.subsets_of(whole).await?;
    let subsets: Vec<(Subset, u32)> = subsets.into_iter().filter(|(s, _)| wanted(s)).collect();
    let ids: Vec<u32> = subsets.iter().map(|(_, ledger)| *ledger).chain([whole]).collect();
    let mut sums = vec![Sums::default(); ids.len()];
    // Nothing is kept of the time before.
    let first = store.first(whole).await?;
    let mut hour = first.map_or(to.hour() + 1, |first| from.max(first).hour());
    while hour <= (to - 1).hour() {
        let hours: Vec<i64> = (hour..(hour + AT_ONCE).min(to.hour() + 1)).collect();
        let found = store.minutes_in(&ids, &hours).await?;
        for (id, sum) in ids.iter().zip(&mut sums) {
            for (hour, minutes) in found.get(id).into_iter().flatten() {
                add(sum, *hour, minutes, (from, to));
            }
        }
        hour += AT_ONCE;
        tokio::task::yield_now().await;
    }
    let mut rest = sums.pop().unwrap_or_default();
    sums.iter().for_each(|sum| rest.combine(sum, -1));
    let items =
        subsets.iter().zip(&sums).map(|((subset, _), sum)| (Some(whose(subset)), counts(sum)));
    let nobodys = (rest.total != 0 || rest.good != 0).then(|| (None, counts(&rest)));
    Ok(items
        .filter(|(_, counts)| counts.total != 0.0 || counts.bad != 0.0)
        .chain(nobodys)
        .collect())
}

fn whose(subset: &Subset) -> (String, String) {
    let id = match subset {
        Subset::Group(Some(labels)) => serde_json::to_string(labels).unwrap_or_default(),
        Subset::Attribute(_, Some(value)) => value.clone(),
        Subset::Group(None) | Subset::Attribute(_, None) => "(other)".to_owned(),
    };
    (id, subset.to_string())
}

fn add(sum: &mut Sums, hour: i64, minutes: &Hour, (from, to): (Minute, Minute)) {
    let begin = usize::try_from((from - Minute(hour * 60)).clamp(0, 60)).unwrap_or(0);
    let end = usize::try_from((to - Minute(hour * 60)).clamp(0, 60)).unwrap_or(0);
    if begin < end {
        sum.combine(&minutes.sums(begin, end), 1);
    }
}

fn counts(sums: &Sums) -> Counts {
    let (bad, total) = (sums.bad() as f64, sums.total as f64);
    Counts { bad, total, ..Counts::default() }
}
