//! Burn and exhaustion.

use super::*;

#[test]
fn burn_thresholds_are_strict_and_need_enough_bad_events() {
    for (rate, bad, verdict) in [
        (14.4, 100, Verdict::Warn),
        (14.41, 100, Verdict::Deny),
        (14.41, 10, Verdict::Deny),
        (14.41, 9, Verdict::Allow),
        (6.0, 100, Verdict::Allow),
        (6.1, 100, Verdict::Warn),
        (0.0, 0, Verdict::Allow),
    ] {
        let decision = ask(&rules(&[BURN]), &[burning(Some(rate), bad)]);
        assert_eq!(decision.verdict, verdict, "{rate} by {bad}");
    }
}

#[test]
fn a_burn_rate_that_is_null_or_not_computed_is_unknown() {
    let decision = ask(&rules(&[BURN]), &[burning(None, 0)]);
    assert_eq!(decision.verdict, Verdict::Unknown);
    assert_eq!(
        decision.reasons,
        ["availability: too little was measured in the last 1h to know the burn rate"]
    );
    let decision = ask(&rules(&["burn: {window: 90m, deny: 2}"]), &[healthy()]);
    assert_eq!(decision.reasons, ["availability: the burn rate over 1h30m is not computed yet"]);
}

#[test]
fn exhaustion_warns_strictly_within_its_length_and_when_all_is_gone() {
    for (minutes, bad, verdict) in [
        (Some(24 * 60 - 1), 0.0, Verdict::Warn),
        (Some(24 * 60), 0.0, Verdict::Allow),
        (Some(-5), 0.0, Verdict::Warn),
        (None, 0.0, Verdict::Allow),
        (None, 2_000.0, Verdict::Warn),
    ] {
        let mut view = view("availability", bad, 1e6);
        view.windows[0].exhausts_at = minutes.map(|m| now() + Duration::minutes(m));
        let decision = ask(&rules(&["exhaustion: {warnWithin: 24h}"]), &[view]);
        assert_eq!(decision.verdict, verdict, "{minutes:?}");
    }
}
