use slo_core::spec::Place;

use super::*;

fn at(minute: i64) -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + chrono::TimeDelta::minutes(minute)
}

/// An exclusion that ana asked for and two others have to approve.
pub(in crate::gate) fn requested(id: &str) -> Requested {
    let exclusion = serde_json::json!({
        "slos": ["orders/*"], "reason": "upgrade", "author": "token:ana",
        "from": "2026-11-20T02:00Z", "until": "2026-11-20T02:40Z",
    });
    Requested {
        id: id.to_owned(),
        at: at(0),
        exclusion: serde_json::from_value(exclusion).unwrap(),
        approvals_needed: 2,
        approvals: Vec::new(),
        removed_by: None,
        removed_at: None,
    }
}

/// Two exclusions of a file.
pub(in crate::gate) fn declared() -> Vec<FromFile> {
    let weekly = serde_json::json!({
        "slos": ["*/latency"], "reason": "backups", "author": "ana", "expires": "2027-03-01T00:00Z",
        "weekly": {"from": "Sun 02:00", "until": "Sun 03:00", "zone": "Europe/Paris"},
    });
    let once = requested("e1").exclusion;
    let weekly: Exclusion = serde_json::from_value(weekly).unwrap();
    FromFile::all(&[once, weekly])
}

fn step(by: &str) -> ExclusionStep {
    ExclusionStep { id: "e1".to_owned(), by: by.to_owned(), at: at(5) }
}

#[test]
fn an_exclusion_lacks_approvals_until_enough_others_gave_theirs() {
    let mut all = Exclusions::default();
    all.request(requested("e1"));
    for (by, lacks) in [("token:ana", 2), ("token:ben", 1), ("token:ben", 1), ("token:eve", 0)] {
        all.approve(step(by));
        assert_eq!(all.find("e1").unwrap().lacks(), lacks, "{by}");
    }
    all.remove(step("token:eve"));
    let one = all.find("e1").unwrap();
    assert_eq!((one.removed_by.as_deref(), one.removed_at), (Some("token:eve"), Some(at(5))));
}

#[test]
fn the_id_of_a_files_exclusion_is_its_content_wherever_it_stands() {
    let once = requested("e1").exclusion;
    let place = Place { file: "x.yaml".to_owned(), line: 3, column: 7 };
    let placed = Exclusion { place: Some(place), excerpt: "slos".to_owned(), ..once.clone() };
    let other = Exclusion { reason: "another".to_owned(), ..once.clone() };
    let all = FromFile::all(&[placed.clone(), once.clone(), other]);
    assert_eq!(all.len(), 2, "one that is there twice is one: {all:?}");
    let one = &FromFile::all(&[placed])[0];
    assert_eq!(one.id, FromFile::all(&[once])[0].id);
    assert_eq!((one.id.as_str(), one.place.as_deref()), ("file:8cf49c220960", Some("x.yaml:3:7")));
}

#[test]
fn a_files_exclusion_keeps_the_instant_from_which_it_has_been_declared() {
    let (mut all, files) = (Exclusions::default(), declared());
    assert!(all.are_declared(&[]) && !all.are_declared(&files));
    all.declare(files[..1].to_vec(), at(0));
    all.declare(files.clone(), at(1));
    assert!(all.are_declared(&files) && !all.are_declared(&files[1..]));
    assert_eq!(all.declared_since(&files[0].id), Some(at(0)));
    assert_eq!(all.declared_since(&files[1].id), Some(at(1)));
    all.declare(Vec::new(), at(2));
    assert!(all.are_declared(&[]));
}
