//! What would open the gate, and when.

use super::row::Row;
use crate::decision::{Kind, Request, Unblocks, Verdict};
use crate::policy::{Answer, Policy, Treatment};

/// All rules that stand in the way, together: the latest of their instants, or none where one of them
/// has none. A rule that does not stand in the way now is taken to stay so.
pub(super) fn unblocks(rows: &[Row], policy: &Policy, request: &Request) -> Unblocks {
    let blocks = |row: &&Row| match row.result.verdict {
        Verdict::Deny => true,
        Verdict::Unknown => policy.on_unknown == Answer::Deny,
        Verdict::Allow | Verdict::Warn => false,
    };
    let blocking: Vec<&Row> = rows.iter().filter(blocks).collect();
    let open: Vec<&Row> =
        blocking.iter().copied().filter(|row| row.result.unblocks.is_none()).collect();
    let acts = acts(policy, request);
    if open.is_empty() {
        let mut last = blocking;
        last.sort_by_key(|row| row.result.unblocks);
        let because = last.last().map(|row| row.opening.clone()).unwrap_or_default();
        let at = last.last().and_then(|row| row.result.unblocks);
        return Unblocks { at, because, acts };
    }
    Unblocks {
        at: None,
        because: format!("no instant is known; needed: {}", openings(&open)),
        acts,
    }
}

/// What has to happen, each thing once, the first three in full.
fn openings(rows: &[&Row]) -> String {
    let mut all: Vec<&str> = Vec::new();
    for row in rows {
        if !all.contains(&row.opening.as_str()) {
            all.push(&row.opening);
        }
    }
    let shown = all[..all.len().min(3)].join("; ");
    match all.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// The kinds of deploy that this policy would let go now.
fn acts(policy: &Policy, request: &Request) -> Vec<String> {
    let others = Kind::ALL.into_iter().filter(|kind| {
        *kind != request.kind
            && *kind != Kind::Release
            && policy.treatment(*kind) != Treatment::Rules
    });
    others.map(|kind| format!("ask with --kind {}, if it is one", kind.as_str())).collect()
}
