//! Numbers as people read them.

use chrono::{DateTime, Utc};
use slo_core::time::Span;

/// `2026-11-24 14:10 UTC`
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `112 %`, `8.4 %`: one decimal at most.
#[must_use]
pub fn percent(share: f64) -> String {
    with_decimals(share * 100.0, 1) + " %"
}

/// A share in percent with as many decimals as it takes to tell it from a limit.
#[must_use]
pub fn percent_beside(share: f64, limit: f64) -> String {
    beside(share * 100.0, limit * 100.0, 1) + " %"
}

/// A number with as many decimals as it takes to tell it from a limit.
#[must_use]
pub fn number_beside(number: f64, limit: f64) -> String {
    beside(number, limit, 2)
}

/// `1,234.5`: two decimals at most.
#[must_use]
pub fn number(number: f64) -> String {
    with_decimals(number, 2)
}

/// `6m30s`, `5h12m`, `3d4h`: the two largest units.
#[must_use]
pub fn length(seconds: f64) -> String {
    let step = match seconds {
        s if s >= 86_400.0 => 3_600.0,
        s if s >= 3_600.0 => 60.0,
        _ => 1.0,
    };
    Span::seconds(((seconds / step).floor() * step) as i64).to_string()
}

fn beside(number: f64, limit: f64, least: usize) -> String {
    let decimals = (least..=9).find(|decimals| !reads_as(number, limit, *decimals));
    with_decimals(number, decimals.unwrap_or(least))
}

/// Whether two numbers have the same text.
fn reads_as(one: f64, other: f64, decimals: usize) -> bool {
    match (scaled(one, decimals), scaled(other, decimals)) {
        (Some(one), Some(other)) => one == other,
        _ => with_decimals(one, decimals) == with_decimals(other, decimals),
    }
}

/// `1,234.5`: so many decimals at most.
#[must_use]
pub fn with_decimals(number: f64, decimals: usize) -> String {
    let text = rounded(number.abs(), decimals);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    // With room for a unit.
    let mut out = String::with_capacity(text.len() + 8);
    if number < 0.0 && (whole != "0" || !fraction.is_empty()) {
        out.push('-');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// As `{:.1}` writes it, halves up; most numbers are small, and whole numbers are written faster.
fn rounded(number: f64, decimals: usize) -> String {
    let Some(scaled) = scaled(number, decimals) else {
        return format!("{number:.decimals$}");
    };
    let scale = 10_u64.pow(decimals as u32);
    let (whole, fraction) = (scaled as u64 / scale, scaled as u64 % scale);
    format!("{whole}.{fraction:0decimals$}")
}

/// A number in units of its last decimal, a whole one; `None` where such numbers are not exact.
fn scaled(number: f64, decimals: usize) -> Option<i64> {
    let scaled = (number * 10_u64.pow(decimals as u32) as f64).round();
    (scaled.abs() < 9e15).then_some(scaled as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short_and_apart_from_their_limit() {
        assert_eq!(percent(1.12), "112 %");
        assert_eq!(percent(0.0841), "8.4 %");
        assert_eq!(percent(-0.000_01), "0 %");
        assert_eq!(percent_beside(0.249_96, 0.25), "24.996 %");
        assert_eq!(percent_beside(0.25, 0.25), "25 %");
        assert_eq!(number(1_234_567.5), "1,234,567.5");
        assert_eq!(number_beside(14.4004, 14.4), "14.4004");
        assert_eq!(number(-1234.0), "-1,234");
    }

    #[test]
    fn lengths_have_two_units() {
        for (seconds, text) in
            [(390.0, "6m30s"), (18_779.0, "5h12m"), (273_700.0, "3d4h"), (0.4, "0s"), (30.0, "30s")]
        {
            assert_eq!(length(seconds), text);
        }
    }
}
