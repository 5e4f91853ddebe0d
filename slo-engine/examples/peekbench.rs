use chrono::TimeDelta;
use slo_core::{
    bucket::Bucket,
    budget::{Account, Facts, end_of},
    time::{Minute, Span},
};
use slo_engine::{
    clock::FixedClock,
    declared,
    evaluate::snapshot::{Latest, Snapshot},
    http::{Shared, router},
    store::Store,
};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let services: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for i in 0..services {
        text += &format!(
            "---\napiVersion: headroom/v1\nkind: Service\nservice: s-{i}\ntier: 1\nenvironment: production\nslos:\n  - {{name: availability, objective: 99.9%, indicator: {{ratio: {{total: t, bad: b}}}}}}\n"
        );
    }
    let file = dir.path().join("a.yaml");
    std::fs::write(&file, text).unwrap();
    let declared = declared::read(&[file], None).unwrap();
    let now: chrono::DateTime<chrono::Utc> = "2026-11-21T10:00:00Z".parse().unwrap();
    let slo = declared.services[0].slos[0].clone();
    let mut account = Account::new(Arc::new(slo), &declared.burns);
    let until = now - TimeDelta::seconds(30);
    let end = end_of(until);
    for back in 1..=10_080 {
        account.replace(
            end - back,
            &Bucket { good: 100, total: 100, measured: true, ..Bucket::default() },
        );
    }
    account.advance(end);
    let view = account.view(Facts {
        now,
        data_until: Some(until),
        newest: Some(Minute::of(until)),
        stale_after: Some(Span::minutes(5)),
        asks: &declared.asks,
        ..Facts::default()
    });
    let mut snapshot = Snapshot { at: now, ..Snapshot::default() };
    for s in &declared.services {
        let mut view = view.clone();
        view.service = s.name.to_string();
        snapshot
            .views
            .entry(view.service.clone())
            .or_default()
            .entry("production".into())
            .or_default()
            .push(Arc::new(view));
    }
    snapshot.declared = Arc::new(declared);
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let address = rt.block_on(async {
        let store = Store::open(&format!("sqlite://{}/h.db", dir.path().display())).await.unwrap();
        let shared = Arc::new(Shared {
            latest: Latest::default(),
            store,
            clock: Arc::new(FixedClock::at(now)),
            tick: Span::seconds(15),
        });
        shared.latest.publish(snapshot);
        let app = router(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let body: &'static str = Box::leak("x".repeat(2200).into_boxed_str());
        let app = app.route(
            "/trivial",
            axum::routing::get(
                move || async move { ([("content-type", "application/json")], body) },
            ),
        );
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    });
    let run = |paths: Vec<String>, conns: usize| {
        let t = Instant::now();
        let threads: Vec<_> = (0..conns)
            .map(|c| {
                let paths = paths.clone();
                std::thread::spawn(move || {
                    let mut s = std::net::TcpStream::connect(address).unwrap();
                    s.set_nodelay(true).unwrap();
                    let mut buf = vec![0u8; 65536];
                    let mut took = Vec::new();
                    let begin = Instant::now();
                    let mut i = c * 7919;
                    let mut len = 0;
                    while begin.elapsed() < Duration::from_millis(700) {
                        i += 1;
                        let req =
                            format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", paths[i % paths.len()]);
                        let t = Instant::now();
                        s.write_all(req.as_bytes()).unwrap();
                        let mut n = 0;
                        loop {
                            n += s.read(&mut buf[n..]).unwrap();
                            if let Some(h) = buf[..n].windows(4).position(|w| w == b"\r\n\r\n") {
                                let head =
                                    std::str::from_utf8(&buf[..h]).unwrap().to_ascii_lowercase();
                                assert!(head.starts_with("http/1.1 200"), "{head}");
                                let l: usize = head
                                    .split("content-length: ")
                                    .nth(1)
                                    .unwrap()
                                    .split("\r\n")
                                    .next()
                                    .unwrap()
                                    .parse()
                                    .unwrap();
                                if n >= h + 4 + l {
                                    len = l;
                                    break;
                                }
                            }
                        }
                        took.push(t.elapsed());
                    }
                    (took, len)
                })
            })
            .collect();
        let mut all: Vec<Duration> = Vec::new();
        let mut len = 0;
        for t in threads {
            let (a, l) = t.join().unwrap();
            all.extend(a);
            len = l;
        }
        let secs = t.elapsed().as_secs_f64();
        all.sort();
        (all[all.len() * 99 / 100].as_secs_f64() * 1e6, all.len() as f64 / secs, len)
    };
    let peeks: Vec<String> = (0..services).map(|i| format!("/v1/gate/s-{i}")).collect();
    for conns in [1, 16, 64] {
        let (mut p, mut r) = (Vec::new(), Vec::new());
        let mut last = None;
        for _ in 0..12 {
            let a = run(peeks.clone(), conns);
            let b = run(vec!["/trivial".to_owned()], conns);
            p.push(a.0 / b.0);
            r.push(a.1 / b.1);
            last = Some((a, b));
        }
        p.sort_by(f64::total_cmp);
        r.sort_by(f64::total_cmp);
        println!("{conns} conns: p99 ratio {:.2}, rps ratio {:.2}; last {:?}", p[6], r[6], last);
    }
    drop(rt);
}
