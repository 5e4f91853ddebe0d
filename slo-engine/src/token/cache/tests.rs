use std::path::Path;

use super::super::{Asked, Made, Revoked, Scope, create, list, revoke};
use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn asked(name: &str) -> Asked {
    Asked {
        name: name.to_owned(),
        scopes: vec![Scope::Decide, Scope::KindHotfix],
        services: vec![budget_gate::select::Glob::parse("orders-*").unwrap()],
        environments: Vec::new(),
        lasts: None,
    }
}

async fn opened(folder: &Path) -> Store {
    Store::open(&format!("sqlite://{}/headroom.db", folder.display())).await.unwrap()
}

async fn made(store: &Store, name: &str) -> String {
    create(store, &asked(name), now()).await.unwrap().token.reveal()
}

/// All connections to a database: reading waits for long while they are held.
async fn held(store: &Store) -> Vec<sqlx::pool::PoolConnection<sqlx::Sqlite>> {
    let mut held = Vec::new();
    while held.len() < 4 {
        held.push(store.pool().acquire().await.unwrap());
    }
    held
}

/// Waits until a check comes out so.
async fn until(
    tokens: &Tokens,
    text: &str,
    is_so: impl Fn(&Result<Arc<Principal>, Refused>) -> bool,
) {
    let begun = Instant::now();
    loop {
        let checked = tokens.check(text, now()).await;
        if is_so(&checked) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{checked:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_is_who_it_was_made_for_and_others_are_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let text = made(&store, "ci-orders").await;
    let tokens = Tokens::start(store, RateLimit::default()).await.unwrap();
    let who = tokens.check(&text, now()).await.unwrap();
    assert_eq!(who.name, "token:ci-orders");
    assert!(who.may(Scope::KindHotfix, "orders-eu", Some("production")));
    let mut wrong = text.clone().into_bytes();
    let last = wrong.len() - 1;
    wrong[last] = if wrong[last] == b'0' { b'1' } else { b'0' };
    let wrong = String::from_utf8(wrong).unwrap();
    for text in [wrong.as_str(), "", "hr_x_y", &Token::random().unwrap().reveal()] {
        assert_eq!(tokens.check(text, now()).await, Err(Refused::Unknown));
    }
    assert!(!format!("{tokens:?}").contains(&text[14..]));
}

#[tokio::test]
async fn a_running_server_follows_new_and_revoked_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    let text = made(&store, "ci").await;
    assert!(tokens.check(&text, now()).await.is_ok(), "an unknown id is looked up at once");
    let second = made(&store, "second").await;
    assert_eq!(tokens.check(&second, now()).await, Err(Refused::Unknown), "but not twice a second");
    until(&tokens, &second, Result::is_ok).await;
    let revoked = revoke(&store, "ci", now()).await.unwrap();
    assert!(matches!(revoked, Revoked::Now { name, .. } if name == "ci"));
    until(&tokens, &text, |checked| *checked == Err(Refused::Revoked(now()))).await;
    assert!(tokens.check(&second, now()).await.is_ok());
}

#[tokio::test]
async fn after_a_silence_the_first_check_knows_what_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let text = made(&store, "ci").await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    assert!(tokens.check(&text, now()).await.is_ok());
    revoke(&store, "ci", now()).await.unwrap();
    tokio::time::sleep(EVERY).await;
    assert_eq!(tokens.check(&text, now()).await, Err(Refused::Revoked(now())));
}

#[tokio::test]
async fn a_database_that_is_held_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let text = made(&store, "ci").await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    let held = held(&store).await;
    tokio::time::sleep(EVERY).await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(tokens.check(&text, now()).await.is_ok());
    }
    assert!(begun.elapsed() < 3 * PATIENCE, "{:?}", begun.elapsed());
    drop(held);
    revoke(&store, "ci", now()).await.unwrap();
    until(&tokens, &text, |checked| *checked == Err(Refused::Revoked(now()))).await;
}

#[tokio::test]
async fn the_tokens_that_were_known_go_on_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let text = made(&store, "ci").await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    store.close().await;
    std::fs::remove_file(store.path()).unwrap();
    assert_eq!(
        tokens.check(&Token::random().unwrap().reveal(), now()).await,
        Err(Refused::Unknown)
    );
    tokio::time::sleep(EVERY + Duration::from_millis(500)).await;
    assert!(tokens.check(&text, now()).await.is_ok());
}

#[tokio::test]
async fn an_unknown_token_is_answered_while_the_database_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    let _held = held(&store).await;
    let begun = Instant::now();
    let unknown = Token::random().unwrap().reveal();
    assert_eq!(tokens.check(&unknown, now()).await, Err(Refused::Unknown));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_token_holds_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let lasting = Asked { lasts: Some(TimeDelta::days(90)), ..asked("ci") };
    let Made { token, expires_at } = create(&store, &lasting, now()).await.unwrap();
    let end = expires_at.unwrap();
    assert_eq!(end, now() + TimeDelta::days(90));
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    let text = token.reveal();
    assert!(tokens.check(&text, end - TimeDelta::milliseconds(1)).await.is_ok());
    assert_eq!(tokens.check(&text, end).await, Err(Refused::Expired(end)));
    let endless = Asked { lasts: Some(TimeDelta::MAX), ..asked("endless") };
    let refused = create(&store, &endless, now()).await.unwrap_err().to_string();
    assert!(refused.contains("cannot last that long"), "{refused}");
}

#[tokio::test]
async fn each_token_has_a_rate_of_its_own_and_only_its_holder_spends_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let (one, other) = (made(&store, "one").await, made(&store, "other").await);
    let limit = RateLimit { per_second: 2, burst: 3 };
    let tokens = Tokens::start(store, limit).await.unwrap();
    let forged = format!("{}{}", &one[..14], "0".repeat(64));
    for _ in 0..10 {
        assert_eq!(tokens.check(&forged, now()).await, Err(Refused::Unknown));
    }
    for _ in 0..3 {
        assert!(tokens.check(&one, now()).await.is_ok());
    }
    let retry_after = Duration::from_millis(500);
    assert_eq!(tokens.check(&one, now()).await, Err(Refused::TooOften { retry_after }));
    assert!(tokens.check(&other, now()).await.is_ok());
    tokens.0.read().await.unwrap();
    assert!(tokens.check(&one, now()).await.is_err(), "reading the tokens again fills nothing");
    assert!(tokens.check(&one, after(1)).await.is_ok());
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let text = made(&store, "ci").await;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await.unwrap();
    let last = async || list(&store).await.unwrap()[0].last_used_at;
    assert_eq!(last().await, None);
    for (use_at, noted) in [(0, 0), (59, 0), (60, 60), (90, 60)] {
        tokens.check(&text, after(use_at)).await.unwrap();
        tokens.0.note_uses(USE_EVERY).await.unwrap();
        assert_eq!(last().await, Some(after(noted)), "used at {use_at}");
    }
    tokens.flush().await.unwrap();
    assert_eq!(last().await, Some(after(90)));
}

#[tokio::test]
async fn a_name_is_free_again_when_its_token_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let first = create(&store, &asked("ci"), now()).await.unwrap().token;
    let taken = create(&store, &asked("ci"), now()).await.unwrap_err().to_string();
    assert!(taken.contains("there is a token `ci` already"), "{taken}");
    let done = revoke(&store, first.id(), now()).await.unwrap();
    assert!(matches!(done, Revoked::Now { id, .. } if id == first.id()));
    for which in [first.id(), "ci", "nobody"] {
        assert_eq!(revoke(&store, which, now()).await.unwrap(), Revoked::Nothing, "{which}");
    }
    create(&store, &asked("ci"), after(1)).await.unwrap();
    let all = list(&store).await.unwrap();
    assert_eq!(all.iter().filter(|token| token.revoked_at.is_some()).count(), 1);
    for name in ["", "a b", "a\nb", &"a".repeat(64)] {
        assert!(create(&store, &asked(name), now()).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_token_named_like_another_ones_id_does_not_take_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let first = create(&store, &asked("ci"), now()).await.unwrap().token;
    create(&store, &asked(first.id()), now()).await.unwrap();
    let done = revoke(&store, first.id(), now()).await.unwrap();
    assert!(matches!(done, Revoked::Now { name, .. } if name == "ci"));
}

#[tokio::test]
async fn tokens_are_read_after_a_commit_once_more_and_then_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let mut changes = Changes::default();
    let mut looks = || [0; 3].map(|_| changes.may_be_there(store.stamp()));
    assert_eq!(looks(), [true, true, false]);
    let before = store.stamp();
    // A commit of another process, when the clock of files has gone on.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let other = opened(folder.path()).await;
    made(&other, "ci").await;
    assert_ne!(store.stamp(), before);
    assert_eq!(looks(), [true, true, false]);
    changes.forget();
    assert!(changes.may_be_there(store.stamp()), "what failed is tried again");
}
