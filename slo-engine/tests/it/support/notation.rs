//! Samples as Prometheus' own tests write them: `name{label="value"} 0+5x60 _x10 7x3`, a sample a minute.
//!
//! `0+5x60` is 0 and sixty more, each greater by 5; `7x3` is 7 and three more of it; `_x10` are ten
//! minutes without a sample. Native histograms are `{{schema:0 offset:-2 buckets:[1 2 3]}}`.

use slo_core::selector::Selector;

use super::remote::Native;

/// Samples by the number of minutes after the first one.
pub(crate) enum Values {
    Numbers(Vec<(i64, f64)>),
    Histograms(Vec<(i64, Native)>),
}

/// The metric's name, its labels and its values.
pub(crate) fn series(line: &str) -> (String, Vec<(String, String)>, Values) {
    let end = line.find("} ").unwrap_or_else(|| panic!("no labels: {line}")) + 1;
    let (name, values) = line.split_at(end);
    let selector = Selector::parse(name).unwrap_or_else(|e| panic!("{line}: {e}"));
    let labels = selector.matchers.iter().filter(|m| m.label != "__name__");
    let labels = labels.map(|m| (m.label.clone(), m.value.clone())).collect();
    let values = match values.trim() {
        values if values.starts_with("{{") => Values::Histograms(histograms(values)),
        values => Values::Numbers(numbers(values)),
    };
    (selector.metric().unwrap().to_owned(), labels, values)
}

fn numbers(values: &str) -> Vec<(i64, f64)> {
    let (mut all, mut minute) = (Vec::new(), 0);
    for run in values.split_whitespace() {
        let (first, times) = run.split_once('x').unwrap_or((run, "0"));
        let times: i64 = times.parse().unwrap_or_else(|e| panic!("{run}: {e}"));
        if first == "_" {
            minute += times;
            continue;
        }
        let (start, step) = first.split_once('+').unwrap_or((first, "0"));
        let [start, step] =
            [start, step].map(|n| n.parse::<f64>().unwrap_or_else(|e| panic!("{run}: {e}")));
        for nth in 0..=times {
            all.push((minute, start + step * nth as f64));
            minute += 1;
        }
    }
    all
}

/// `{{...}}+{{...}}x60`: a histogram, and sixty more to which the second one was added each time.
fn histograms(values: &str) -> Vec<(i64, Native)> {
    let (first, rest) = values.split_once("}}+{{").unwrap_or_else(|| panic!("no step: {values}"));
    let (step, times) = rest.split_once("}}x").unwrap_or_else(|| panic!("no count: {values}"));
    let (mut now, step) = (histogram(first.trim_start_matches("{{")), histogram(step));
    let mut all = vec![(0, now.clone())];
    for minute in 1..=times.parse().unwrap() {
        for (bucket, more) in &step.buckets {
            *now.buckets.entry(*bucket).or_default() += more;
        }
        all.push((minute, now.clone()));
    }
    all
}

/// `schema:0 offset:-2 buckets:[1 2 3]`: the offset is the number of the first bucket.
fn histogram(text: &str) -> Native {
    let (facts, buckets) = text.split_once("buckets:[").unwrap_or_else(|| panic!("{text}"));
    let fact = |name: &str| {
        let found = facts.split_whitespace().find_map(|fact| fact.strip_prefix(name));
        found.map_or(0, |number| number.parse::<i32>().unwrap())
    };
    let counts = buckets.trim_end_matches(']').split_whitespace();
    let mut native = Native::new(fact("schema:"));
    native.buckets = (fact("offset:")..).zip(counts.map(|n| n.parse().unwrap())).collect();
    native
}
