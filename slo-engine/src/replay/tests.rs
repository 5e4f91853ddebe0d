use budget_gate::Decision;
use budget_gate::Verdict::{Allow, Deny, Unknown, Warn};
use budget_gate::incident::Incident;
use budget_gate::policy::rule::Severity;
use lab::{FIRST, Lab, ORDERS, POLICY, at, deployed, overridden, rollback};

use super::*;
use crate::gate::event::{Event, Step};
use crate::gate::exclusion::{ExclusionStep, FromFile, Requested};
use crate::store::put_incidents;

mod lab;

fn denying_below(share: &str) -> String {
    POLICY.replace("denyBelow: 0%", &format!("denyBelow: {share}"))
}

fn outcomes(items: &[Item]) -> Vec<(i64, Outcome)> {
    let minute = |item: &Item| (item.at - at(0)).num_minutes();
    items.iter().map(|item| (minute(item), item.outcome)).collect()
}

#[tokio::test]
async fn a_stricter_policy_turns_those_allows_into_denies_that_had_too_little_left() {
    // 4 of 1,000 fail on the first day, 2 on the second: 60 % remain at its beginning, 80 % at its end.
    let lab = Lab::of_orders(|minute| if minute < 1_440 { 4 } else { 2 }).await;
    for (minute, remaining) in [(1_440, 0.6), (2_160, 0.7), (2_880, 0.8)] {
        lab.record(&lab.decision(minute, Allow, remaining)).await;
    }
    let (items, summary) = lab.replay(POLICY).await;
    assert_eq!((items, summary.all.decisions, summary.all.changed), (vec![], 3, 0));

    let (items, summary) = lab.replay(&denying_below("75%")).await;
    assert_eq!(outcomes(&items), [(1_440, Outcome::Changed), (2_160, Outcome::Changed)]);
    let told = (items[1].recorded, items[1].replayed, items[1].loaded);
    assert_eq!(told, (Allow, Some(Deny), Some(Allow)));
    let reason = "availability: 70 % of the 1d budget remains; the policy denies below 75 %";
    assert_eq!(items[1].reason.as_deref(), Some(reason));
    assert_eq!(summary.all.changes, [Transition { from: Allow, to: Deny, count: 2 }]);
    assert_eq!((summary.all.ledger_changed, summary.all.not_known), (0, 0));
}

#[tokio::test]
async fn late_data_is_told_with_both_numbers_and_is_no_change_by_the_policy() {
    let lab = Lab::of_orders(|_| 12).await;
    lab.record(&lab.decision(1_600, Allow, 0.4)).await;
    lab.record(&lab.decision(1_700, Deny, -0.2)).await;
    let (items, summary) = lab.replay(POLICY).await;
    assert_eq!(outcomes(&items), [(1_600, Outcome::NotByPolicy)]);
    let change = &items[0].ledger_changed[0];
    assert_eq!((change.slo.as_str(), change.window.as_str()), ("availability", "1d"));
    assert!((change.recorded - 0.4).abs() < 1e-9, "{change:?}");
    assert!((change.rebuilt.unwrap() + 0.2).abs() < 1e-9, "{change:?}");
    let Counts { changed, not_by_policy, ledger_changed, .. } = summary.all;
    assert_eq!((changed, not_by_policy, ledger_changed), (0, 1, 1));
}

#[tokio::test]
async fn a_minute_that_was_open_then_is_no_late_data_and_one_before_it_is() {
    // 500 fail in one minute, of 14,400 that may.
    let lab = Lab::of_orders(|minute| if minute == 2_000 { 500 } else { 0 }).await;
    let left = 1.0 - 500.0 / 14_400.0;
    for (minute, remaining) in [(2_000, 1.0), (2_001, 0.99), (2_010, 1.0), (2_011, left)] {
        lab.record(&lab.decision(minute, Allow, remaining)).await;
    }
    let (items, _) = lab.replay(POLICY).await;
    assert_eq!(outcomes(&items), [(2_010, Outcome::Same)], "{items:?}");
    assert_eq!(items[0].ledger_changed.len(), 1);
}

#[tokio::test]
async fn an_override_holds_for_the_decisions_that_it_was_in_force_at() {
    let policy = format!("{POLICY}override: {{allowed: true}}\n");
    let lab = Lab::with(&[ORDERS, &policy]).await;
    lab.fill("orders", "availability", 0..2_880, |_| 20).await;
    lab.happens(1_500, overridden(1_500, 1_560)).await;
    let step = |minute: i64| Step {
        id: format!("o{minute}"),
        service: "orders".to_owned(),
        environment: "production".to_owned(),
        by: "token:ben".to_owned(),
        at: at(1_620),
    };
    for (minute, verdict) in
        [(1_490, Deny), (1_510, Warn), (1_570, Deny), (1_610, Warn), (1_630, Deny)]
    {
        lab.record(&lab.decision(minute, verdict, -1.0)).await;
    }
    lab.happens(1_600, overridden(1_600, 1_700)).await;
    lab.happens(1_620, Event::OverrideRevoked(step(1_600))).await;
    let (items, summary) = lab.replay(&policy).await;
    assert_eq!((items, summary.all.decisions), (vec![], 5));
    let (items, _) = lab.replay(POLICY).await;
    assert_eq!(outcomes(&items), [(1_510, Outcome::Changed), (1_610, Outcome::Changed)]);
    assert_eq!((items[0].recorded, items[0].replayed), (Warn, Some(Deny)));
}

#[tokio::test]
async fn a_rollback_that_was_proven_then_is_proven_whatever_ran_later() {
    let lab = Lab::of_orders(|_| 20).await;
    lab.happens(100, deployed("1", 100)).await;
    lab.happens(1_500, deployed("2", 1_500)).await;
    lab.record(&rollback(lab.decision(1_510, Allow, -1.0), "1")).await;
    lab.happens(1_520, deployed("1", 1_520)).await;
    lab.record(&rollback(lab.decision(1_530, Deny, -1.0), "1")).await;
    // Told long after it ran: nobody knew then.
    lab.happens(1_600, deployed("0", 50)).await;
    lab.record(&rollback(lab.decision(1_610, Allow, -1.0), "0")).await;
    let (items, summary) = lab.replay(POLICY).await;
    assert_eq!((items, summary.all.decisions), (vec![], 3));
    let (items, _) = lab.replay(&format!("{POLICY}kinds: {{rollback: warn}}\n")).await;
    assert_eq!(outcomes(&items), [(1_510, Outcome::Changed), (1_610, Outcome::Changed)]);
}

#[tokio::test]
async fn an_unproven_claim_counts_against_the_quota_of_those_after_it() {
    let policy = format!("{POLICY}override: {{allowed: true, perWeek: 1}}\n");
    let lab = Lab::with(&[ORDERS, &policy]).await;
    lab.fill("orders", "availability", 0..2_880, |_| 20).await;
    let mut first = rollback(lab.decision(1_500, Warn, -1.0), "1");
    let claim = r#"{"standing": "unproven", "reason": "", "counts": true}"#;
    first.claim = Some(serde_json::from_str(claim).unwrap());
    lab.record(&first).await;
    // The same question within ten minutes is not held against itself, another one is.
    lab.record(&rollback(lab.decision(1_505, Warn, -1.0), "1")).await;
    lab.record(&rollback(lab.decision(1_506, Deny, -1.0), "2")).await;
    let (items, summary) = lab.replay(&policy).await;
    assert_eq!((items, summary.all.decisions), (vec![], 3));
    // A claim from before the first decision that is asked about counts, too.
    let (items, summary) = lab.replay_of(&policy, None, (at(1_506), at(9_999))).await;
    assert_eq!((items, summary.all.decisions), (vec![], 1));
}

#[tokio::test]
async fn incidents_are_open_from_their_report_until_they_are_closed_or_lapse() {
    let lab = Lab::of_orders(|_| 4).await;
    for (key, opened, confirmed, closed) in
        [("db", 1_500, 1_510, Some(1_540)), ("net", 1_600, 1_900, None)]
    {
        let incident = Incident {
            id: key.to_owned(),
            key: key.to_owned(),
            service: "orders".to_owned(),
            environment: None,
            severity: Severity::Critical,
            title: "down".to_owned(),
            opened_at: at(opened),
            confirmed_at: at(confirmed),
            closed_at: closed.map(at),
        };
        let mut durable = lab.store.durable().await.unwrap();
        put_incidents(durable.connection(), &[&incident]).await.unwrap();
        durable.close().await;
    }
    for minute in [1_499, 1_501, 1_539, 1_541, 1_601, 2_139, 2_141] {
        lab.record(&lab.decision(minute, Allow, 0.6)).await;
    }
    let policy = POLICY.replace("rules:\n", "rules:\n  - incidents: {deny: [critical]}\n");
    let (items, _) = lab.replay(&policy).await;
    let denied: Vec<i64> = outcomes(&items).iter().map(|(minute, _)| *minute).collect();
    assert_eq!(denied, [1_501, 1_539, 1_601, 2_139]);
}

#[tokio::test]
async fn forgotten_minutes_are_not_known_any_more_and_no_change() {
    let lab = Lab::of_orders(|_| 4).await;
    lab.record(&lab.decision(1_500, Allow, 0.6)).await;
    lab.record(&lab.decision(2_800, Allow, 0.6)).await;
    lab.store.forget(FIRST.hour() + 30, 0).await.unwrap();
    let (items, summary) = lab.replay(&denying_below("75%")).await;
    assert_eq!(outcomes(&items), [(1_500, Outcome::NotKnown), (2_800, Outcome::Changed)]);
    assert_eq!((items[0].replayed, summary.all.changed, summary.all.not_known), (None, 1, 1));
    let because = summary.services[0].not_known_because.as_deref().unwrap();
    assert!(because.starts_with("availability: its minutes of 2026-"), "{because}");
}

#[tokio::test]
async fn a_window_that_begins_in_a_forgotten_hour_is_known_unless_the_verdict_hangs_on_it() {
    // In the hour under the window's old edge 7,200 fail of 14,400 that may in a day.
    let lab = Lab::of_orders(|minute| if minute / 60 == 20 { 120 } else { 0 }).await;
    lab.record(&lab.decision(2_669, Allow, 0.75)).await;
    lab.store.forget(FIRST.hour() + 30, 0).await.unwrap();
    for (below, expected) in
        [("49%", None), ("60%", Some(Outcome::NotKnown)), ("100%", Some(Outcome::NotKnown))]
    {
        let (items, _) = lab.replay(&denying_below(below)).await;
        assert_eq!(items.first().map(|item| item.outcome), expected, "{below}");
    }
    let (items, _) = lab.replay(POLICY).await;
    assert_eq!(items, [], "any part of the hour may have been in the window");
}

#[tokio::test]
async fn an_slo_without_a_ledger_then_or_without_a_declaration_now_is_not_known() {
    let second = ORDERS.replace(
        "slos:\n",
        "slos:\n  - name: fresh\n    objective: 99%\n    window: 1d\n    \
        alerts: none\n    indicator: {ratio: {total: 'x_total', bad: '{code=~\"5..\"}'}}\n",
    );
    let lab = Lab::with(&[&second, POLICY]).await;
    lab.fill("orders", "availability", 0..2_880, |_| 4).await;
    lab.fill("orders", "fresh", 2_000..2_880, |_| 4).await;
    lab.record(&lab.decision(1_500, Allow, 0.6)).await;
    lab.record(&lab.decision(2_800, Allow, 0.6)).await;
    let mut renamed = lab.decision(2_810, Allow, 0.6);
    renamed.rules.iter_mut().for_each(|row| row.slo = Some("latency".into()));
    lab.record(&renamed).await;
    let (items, _) = lab.replay(POLICY).await;
    assert_eq!(outcomes(&items), [(1_500, Outcome::NotKnown), (2_810, Outcome::NotKnown)]);
    let reasons: Vec<&str> = items.iter().filter_map(|item| item.reason.as_deref()).collect();
    assert!(reasons[0].starts_with("fresh: nothing is known of it before 2026-"), "{reasons:?}");
    assert_eq!(reasons[1], "latency: it decided then, and is not declared any more");
}

#[tokio::test]
async fn an_slo_that_had_no_data_then_has_none_when_it_is_asked_again() {
    let lab = Lab::of_orders(|_| 4).await;
    let mut decision = lab.decision(1_500, Unknown, 0.0);
    decision.rules.truncate(1);
    decision.rules[0].observed = None;
    lab.record(&decision).await;
    assert_eq!(lab.replay(POLICY).await.0, []);
    let (items, _) = lab.replay(&POLICY.replace("onUnknown: deny", "onUnknown: warn")).await;
    assert_eq!((items[0].recorded, items[0].replayed), (Unknown, Some(Warn)));
}

#[tokio::test]
async fn what_a_service_depends_on_is_as_it_was_then() {
    let payment = ORDERS.replace("orders", "payment");
    let orders = ORDERS.replace("tier: 1\n", "tier: 1\ndependsOn: [payment]\n");
    let lab = Lab::with(&[&orders, &payment, POLICY]).await;
    lab.fill("orders", "availability", 0..2_880, |_| 4).await;
    // Spent by an hour that leaves the window in the evening of the second day.
    lab.fill("payment", "availability", 0..2_880, |m| if m / 60 == 18 { 500 } else { 0 }).await;
    for minute in [1_500, 2_300, 2_600] {
        lab.record(&lab.decision(minute, Allow, 0.6)).await;
    }
    let policy = POLICY.replace("rules:\n", "rules:\n  - dependencies: {denyBelow: 0%}\n");
    let (items, _) = lab.replay(&policy).await;
    assert_eq!(outcomes(&items), [(1_500, Outcome::Changed), (2_300, Outcome::Changed)]);
    assert!(items[0].reason.as_deref().unwrap().starts_with("payment/availability: "));
    let (items, _) = lab.replay_of(&policy, Some("production"), (at(0), at(9_999))).await;
    assert_eq!(items.len(), 2, "the dependency is read also where only one service is asked about");
}

#[tokio::test]
async fn only_decisions_of_the_service_the_environment_and_the_time_are_asked_again() {
    let lab = Lab::of_orders(|_| 4).await;
    for minute in [1_500, 1_600, 1_700] {
        lab.record(&lab.decision(minute, Allow, 0.6)).await;
    }
    let mut elsewhere = lab.decision(1_650, Deny, 0.0);
    (elsewhere.service, elsewhere.rules) = ("users".to_owned(), Vec::new());
    lab.record(&elsewhere).await;
    (elsewhere.service, elsewhere.environment) = ("orders".to_owned(), Some("staging".to_owned()));
    elsewhere.id = Some("other".to_owned());
    lab.record(&elsewhere).await;
    let strict = denying_below("75%");
    let (_, all) = lab.replay(&strict).await;
    assert_eq!((all.all.decisions, all.all.changed, all.services.len()), (5, 3, 3));
    let between = (at(1_600), at(1_700));
    let (items, some) = lab.replay_of(&strict, Some("production"), between).await;
    assert_eq!((outcomes(&items), some.all.decisions), (vec![(1_600, Outcome::Changed)], 1));
    let (_, none) = lab.replay_of(&strict, Some("staging"), between).await;
    assert_eq!((none.all.decisions, none.all.changed), (1, 0));
}

#[tokio::test]
async fn slices_are_judged_by_their_minutes_from_wherever_a_replay_begins() {
    let sliced = ORDERS.replace(
        "    window: 1d\n",
        "    window: 1d\n    budgeting: {timeslices: {size: 5m, goodWhen: 95%}}\n",
    );
    let lab = Lab::with(&[&sliced, POLICY]).await;
    // Each hour of the first day has one bad slice, which the hour's mean would hide: 2.88 may be.
    lab.fill(
        "orders",
        "availability",
        0..2_880,
        |m| {
            if m < 1_440 && m % 60 == 7 { 1_000 } else { 0 }
        },
    )
    .await;
    let left = |slices: f64| 1.0 - slices / 2.88;
    lab.record(&lab.decision(1_500, Deny, left(23.0))).await;
    lab.record(&lab.decision(2_820, Allow, left(1.0))).await;
    assert_eq!(lab.replay(POLICY).await.0, []);
    let (items, _) = lab.replay_of(POLICY, None, (at(2_000), at(9_999))).await;
    assert_eq!(items, []);
    lab.store.forget(FIRST.hour() + 10, 0).await.unwrap();
    let (items, _) = lab.replay(POLICY).await;
    assert_eq!(outcomes(&items), [(1_500, Outcome::NotKnown)]);
}

#[tokio::test]
async fn more_decisions_than_a_page_holds_are_each_asked_once() {
    let lab = Lab::of_orders(|_| 4).await;
    // Many are of one instant, so that pages end within it.
    let decision = |number: i64| {
        let mut decision = lab.decision(1_500 + number / 400, Allow, 0.6);
        decision.id = Some(format!("n{number}"));
        decision
    };
    let all: Vec<Decision> = (0..1_203).map(decision).collect();
    for some in all.chunks(300) {
        futures::future::join_all(some.iter().map(|one| lab.record(one))).await;
    }
    let (_, summary) = lab.replay(&denying_below("75%")).await;
    assert_eq!((summary.all.decisions, summary.all.changed), (1_203, 1_203));
}

#[tokio::test]
async fn a_decision_is_asked_again_with_the_exclusions_that_were_in_force_then() {
    // 200 of 1,000 fail for an hour: 12,000 of the 14,400 that may.
    let bad = |minute| if (2_000..2_060).contains(&minute) { 200 } else { 0 };
    let lab = Lab::of_orders(bad).await;
    let step = |minute| ExclusionStep { id: "e1".into(), by: "token:ben".into(), at: at(minute) };
    let half = excluding(2_000, 2_030);
    lab.happens(2_100, Event::ExclusionCreated(half.clone())).await;
    lab.happens(2_200, Event::ExclusionApproved(step(2_200))).await;
    lab.happens(2_300, Event::ExclusionRemoved(step(2_300))).await;
    let exclusions = FromFile::all(std::slice::from_ref(&half.exclusion));
    let declared = Event::ExclusionsDeclared { id: "f1".into(), at: at(2_400), exclusions };
    lab.happens(2_400, declared).await;
    let (whole, without) = (1.0 - 12_000.0 / 14_400.0, 1.0 - 6_000.0 / 14_100.0);
    for (minute, remaining) in
        [(2_090, whole), (2_150, whole), (2_250, without), (2_350, whole), (2_450, without)]
    {
        lab.record(&lab.decision(minute, Allow, remaining)).await;
    }
    let (items, summary) = lab.replay(POLICY).await;
    assert_eq!((items, summary.all.decisions), (vec![], 5));
    let (items, _) = lab.replay(&denying_below("50%")).await;
    let changed = [2_090, 2_150, 2_350].map(|minute| (minute, Outcome::Changed));
    assert_eq!(outcomes(&items), changed);
    let (items, _) = lab.replay_of(POLICY, Some("production"), (at(2_240), at(2_360))).await;
    assert_eq!(items, vec![], "also of one service, and of a part of the time");
}

#[tokio::test]
async fn an_hour_of_which_half_was_excluded_is_not_guessed_when_its_minutes_are_forgotten() {
    let lab = Lab::of_orders(|_| 4).await;
    lab.happens(100, Event::ExclusionCreated(excluding(1_500, 1_530))).await;
    lab.happens(
        100,
        Event::ExclusionApproved(ExclusionStep {
            id: "e1".into(),
            by: "token:ben".into(),
            at: at(100),
        }),
    )
    .await;
    for minute in [1_490, 2_450] {
        lab.record(&lab.decision(minute, Allow, 0.6)).await;
    }
    assert_eq!(lab.replay(POLICY).await.0, vec![]);
    lab.store.forget(FIRST.hour() + 26, 0).await.unwrap();
    let (items, summary) = lab.replay(POLICY).await;
    assert_eq!(summary.all.not_known, 2, "{items:?}");
    assert!(items[1].reason.as_ref().unwrap().contains("have been forgotten"), "{items:?}");
}

/// Minutes that somebody asked to exclude, which another person has to approve.
fn excluding(from: i64, until: i64) -> Requested {
    let [from, until] = [from, until].map(|minute| (FIRST + minute).start());
    let body = serde_json::json!({
        "slos": ["orders/*"], "reason": "upgrade", "author": "token:ana", "from": from, "until": until,
    });
    Requested {
        id: "e1".to_owned(),
        at: at(100),
        exclusion: serde_json::from_value(body).unwrap(),
        approvals_needed: 1,
        approvals: Vec::new(),
        removed_by: None,
        removed_at: None,
    }
}

#[test]
fn an_item_and_a_summary_have_the_shape_that_scripts_read() {
    let json = serde_json::to_value(Summary::new((at(0), at(1)))).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    let expected = [
        "changed",
        "changes",
        "decisions",
        "from",
        "ledgerChanged",
        "notByPolicy",
        "notKnown",
        "services",
        "to",
    ];
    assert_eq!(keys, expected);
}
