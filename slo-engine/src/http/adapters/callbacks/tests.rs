use std::cell::RefCell;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::look_through;
use crate::http::adapters::signed::{Words, adapters, message, send, told_at, twin};
use crate::http::adapters::waiting::OnDeny;
use crate::http::world::World;

#[tokio::test]
async fn a_system_that_hangs_holds_up_no_other_one() {
    // Connections are taken there, and nothing is ever answered.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let (twin, silent) = (twin().await, format!("http://{}", hanging.local_addr().unwrap()));
    let mut adapters = adapters(&twin.url, OnDeny::Wait);
    adapters.github.url.clone_from(&silent);
    let world = World::with_adapters(adapters).await;
    let ask = async |adapter: &str, url: &str, number: u64, service: &str| {
        let words = Words { commit: Some("0123abc"), ..Words::default() };
        let body = message(adapter, url, number, (service, "production"), words);
        let answer = send(&world, adapter, body.to_string().into_bytes(), number).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    for number in 0..40 {
        ask("github", &silent, number, &format!("s{number}")).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    ask("gitlab", &twin.url, 100, "catalog").await;
    ask("terraform", &twin.url, 101, "catalog").await;
    for (adapter, number) in [("gitlab", 100), ("terraform", 101)] {
        twin.until_told(&told_at(adapter, number), 1).await;
    }
    assert!(begun.elapsed().as_secs() < 4, "told after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_place_in_which_looking_panics_keeps_nobody_from_the_others_or_from_looking_again() {
    let (looked, places) = (RefCell::new(Vec::new()), ["acme/broken", "acme/orders"]);
    let find = async |place: String| {
        looked.borrow_mut().push(place.clone());
        assert_ne!(place, "acme/broken", "the moon is full");
        Ok(())
    };
    let every = Duration::from_millis(20);
    let looking = look_through("github", places.map(str::to_owned).to_vec(), every, find);
    assert!(tokio::time::timeout(every * 20, looking).await.is_err(), "it ended");
    let looked = looked.into_inner();
    assert!(looked.len() >= 6, "{looked:?}");
    assert!(looked.chunks(2).all(|round| *round == places[..]), "{looked:?}");
}
