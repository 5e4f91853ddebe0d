//! Which groups spend the budget of their SLO.

use std::sync::Arc;

use slo_core::subset::Subset;
use slo_core::view::{BudgetView, Finding};

use crate::evaluate::engine::{Engine, on_all_cores, share};
use crate::evaluate::live::{Apart, Live, Place};

impl Engine {
    /// Says in the view of every grouped SLO which groups spend its budget. Their views come first.
    pub(in crate::evaluate::engine) fn name_spenders(&mut self) {
        let subsets = &self.subsets;
        let name = |live: &mut Live| {
            let (Some(apart), Some(view)) = (&live.apart, &mut live.view) else { return };
            let views = apart.subsets.values().filter_map(|at| subsets[*at].view.as_deref());
            let found = spenders(view, views).into_iter().chain(beyond_max(apart));
            let found: Vec<Finding> = found.collect();
            if !found.is_empty() {
                Arc::make_mut(view).findings.extend(found);
            }
        };
        let share = share(self.slos.len());
        on_all_cores(self.slos.chunks_mut(share), |part| {
            part.iter_mut().filter(|live| live.place == Place::Shown).for_each(name);
        });
    }
}

/// So many groups are named.
const NAMED: usize = 3;

/// The groups that had most of the bad events in an SLO's first window.
fn spenders<'a>(
    whole: &BudgetView,
    groups: impl Iterator<Item = &'a BudgetView>,
) -> Option<Finding> {
    let window = whole.windows.first()?;
    let bad = |view: &'a BudgetView| {
        let bad = view.windows.first()?.bad.filter(|bad| *bad > 0.0)?;
        Some((view.group.as_ref()?.to_string(), bad))
    };
    let mut spent: Vec<(String, f64)> = groups.filter_map(bad).collect();
    spent.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    let all: f64 = spent.iter().map(|(_, bad)| bad).sum();
    if spent.is_empty() {
        return None;
    }
    let named =
        spent.iter().take(NAMED).map(|(name, bad)| format!("{name} ({:.0} %)", bad / all * 100.0));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = spent.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let message = format!("what is bad in {} is that of the groups {named}{more}", window.window);
    let numbers = spent.into_iter().take(NAMED).collect();
    Some(Finding { code: "groupsSpend".to_owned(), message, since: None, numbers })
}

/// Says that there are more groups, or more values of a label, than are counted for themselves.
fn beyond_max(apart: &Apart) -> Option<Finding> {
    let rest = apart.subsets.keys().filter(|subset| subset.is_rest());
    let of: Vec<&str> = rest
        .map(|subset| match &**subset {
            Subset::Attribute(label, _) => label.as_str(),
            Subset::Group(_) => "groups",
        })
        .collect();
    if of.is_empty() {
        return None;
    }
    let most = apart.cuts.most();
    let message = format!(
        "of {} there are more than `maxGroups` ({most}), or events without a value: those are counted together, as (other)",
        of.join(", ")
    );
    let numbers = [("maxGroups".to_owned(), most as f64)].into();
    Some(Finding { code: "groupsBeyondMax".to_owned(), message, since: None, numbers })
}
