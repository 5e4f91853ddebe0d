//! Shares queries: one per metric family and set of constrained labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::selector::{Matcher, Op, Selector};

use super::{Feeds, escaped};

/// One query of a source and the SLOs it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What to read: every series that one of the SLOs wants, and perhaps some more.
    pub selector: Selector,
    /// Positions of the SLOs in the input.
    pub slos: Vec<usize>,
}

/// A query without the long list of values that its SLOs want of a label. Finding the series of each
/// value costs a source more than all series of a metric do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide {
    /// The label.
    pub label: String,
    /// Its values that are wanted.
    pub wanted: BTreeSet<String>,
    /// What reads these and all others.
    pub selector: Selector,
}

/// So many values are a long list.
const LONG: usize = 32;

impl Query {
    /// The same without its longest list of values, where that is long.
    #[must_use]
    pub fn wide(&self) -> Option<Wide> {
        let values = |m: &Matcher| m.value.split('|').map(unescaped).collect::<BTreeSet<String>>();
        let all = self.selector.matchers.iter().enumerate();
        let lists = all.filter(|(_, m)| m.op == Op::Match && m.label != "__name__");
        let lists = lists.filter(|(_, m)| is_plain(&m.value)).map(|(at, m)| (at, values(m)));
        let (at, wanted) = lists.max_by_key(|(_, values)| values.len())?;
        let mut selector = self.selector.clone();
        let label = selector.matchers.remove(at).label.clone();
        (wanted.len() >= LONG && selector.metric().is_some()).then_some(Wide {
            label,
            wanted,
            selector,
        })
    }
}

/// The fewest queries for all SLOs; those longer than `max_bytes` are split.
#[must_use]
pub fn queries(all: &[&Feeds], max_bytes: usize) -> Vec<Query> {
    let mut families: BTreeMap<Family, Vec<(usize, Selector)>> = BTreeMap::new();
    for (slo, feeds) in all.iter().enumerate() {
        for selector in feeds.selectors() {
            families.entry(family(&selector)).or_default().push((slo, selector));
        }
    }
    families.into_values().flat_map(|members| shared(&members, max_bytes)).collect()
}

/// The metric's name as matched, and the labels that are constrained.
type Family = (String, Vec<String>);

fn family(selector: &Selector) -> Family {
    let (names, labels): (Vec<&Matcher>, Vec<&Matcher>) =
        selector.matchers.iter().partition(|m| m.label == "__name__");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let labels: BTreeSet<String> = labels.iter().map(|m| m.label.clone()).collect();
    (names.join(","), labels.into_iter().collect())
}

fn shared(members: &[(usize, Selector)], max_bytes: usize) -> Vec<Query> {
    let selector = merged(members);
    if selector.to_string().len() > max_bytes && members.len() > 1 {
        let (a, b) = members.split_at(members.len() / 2);
        return shared(a, max_bytes).into_iter().chain(shared(b, max_bytes)).collect();
    }
    let slos: BTreeSet<usize> = members.iter().map(|(slo, _)| *slo).collect();
    vec![Query { selector, slos: slos.into_iter().collect() }]
}

/// A selector that reads what any member reads.
fn merged(members: &[(usize, Selector)]) -> Selector {
    let first = &members[0].1;
    let (names, rest): (Vec<&Matcher>, Vec<&Matcher>) =
        first.matchers.iter().partition(|m| m.label == "__name__");
    let mut labels: Vec<&str> = rest.iter().map(|m| m.label.as_str()).collect();
    labels.dedup();
    let mut matchers: Vec<Matcher> = names.into_iter().cloned().collect();
    let mut done = BTreeSet::new();
    for label in labels {
        if done.insert(label) {
            matchers.extend(merged_label(label, members));
        }
    }
    Selector { matchers }
}

fn merged_label(label: &str, members: &[(usize, Selector)]) -> Vec<Matcher> {
    let of = |s: &Selector| -> Vec<Matcher> {
        s.matchers.iter().filter(|m| m.label == label).cloned().collect()
    };
    let first = of(&members[0].1);
    if members.iter().all(|(_, s)| of(s) == first) {
        return first;
    }
    let mut values: BTreeSet<String> = BTreeSet::new();
    let mut alternatives: BTreeSet<String> = BTreeSet::new();
    for (_, selector) in members {
        match of(selector).into_iter().find(|m| m.op.is_positive()) {
            Some(m) if m.op == Op::Equal => values.insert(m.value.clone()),
            Some(m) if is_plain(&m.value) => {
                values.extend(m.value.split('|').map(unescaped));
                true
            }
            Some(m) => alternatives.insert(format!("(?:{})", m.value)),
            // One member leaves values out instead of picking some: all must be read.
            None => return Vec::new(),
        };
    }
    let texts = values.iter().map(|v| escaped(v)).chain(alternatives.iter().cloned());
    let regex = texts.collect::<Vec<_>>().join("|");
    let op = if values.len() == 1 && alternatives.is_empty() { Op::Equal } else { Op::Match };
    let value = if op == Op::Equal { values.first().cloned().unwrap_or_default() } else { regex };
    Matcher::new(label, op, &value).into_iter().collect()
}

/// Whether a regular expression is nothing but literals with `|` between.
fn is_plain(regex: &str) -> bool {
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        let escape = c == '\\' && !chars.next().is_some_and(|c| r"\.+*?()|[]{}^$".contains(c));
        if escape || ".+*?()[]{}^$".contains(c) || (c == '\\' && regex.contains("\\|")) {
            return false;
        }
    }
    true
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}
