use std::time::Duration;

use budget_gate::Request;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_255_200 + seconds, 0).unwrap()
}

fn kept(seconds: i64) -> Kept {
    let request = Request::of("orders");
    let facts = budget_gate::Facts::<slo_core::view::BudgetView>::of(None, &[]);
    let decision = budget_gate::decide(&request, &facts, &[], at(seconds));
    Kept { body: [0; 32], decision: Arc::new(decision) }
}

fn asking(key: Option<&str>, reason: Option<&str>) -> Asking {
    Asking {
        request: Request { reason: reason.map(str::to_owned), ..Request::of("orders") },
        actor: None,
        principal: "token:ci".to_owned(),
        key: key.map(str::to_owned),
        waited: Duration::ZERO,
    }
}

#[test]
fn the_reason_is_part_of_the_question_only_under_a_key_of_the_callers() {
    let same = |key| body(&asking(key, Some("a"))) == body(&asking(key, Some("b")));
    assert!(same(None) && !same(Some("run-1")));
}

#[test]
fn a_decision_made_late_under_an_old_key_is_remembered_as_long_as_it_is_repeated() {
    let keys = Keys::default();
    *keys.slot("old", at(0)).try_lock().unwrap() = Some(kept(0));
    *keys.slot("used again", at(0)).try_lock().unwrap() = Some(kept(500));
    let is_there = |key: &str, now| keys.slot(key, now).try_lock().unwrap().is_some();
    assert!(is_there("used again", at(600)) && !is_there("old", at(600)));
    assert!(is_there("used again", at(1_099)));
    assert!(!is_there("used again", at(1_100)));
}

#[test]
fn no_more_keys_are_remembered_than_there_may_be() {
    let keys = Keys::default();
    for key in 0..MOST + 10 {
        *keys.slot(&key.to_string(), at(0)).try_lock().unwrap() = Some(kept(0));
    }
    let remembered = keys.0.lock().unwrap();
    assert!(remembered.slots.len() <= MOST + 1 && remembered.order.len() <= MOST + 1);
}
