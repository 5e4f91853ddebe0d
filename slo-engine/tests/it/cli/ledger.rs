//! `backup` and `restore`, with a server that has the ledger open.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Desk, ORDERS, traffic};

/// A server; killed with the test if it still runs.
struct Server(Child);

impl Server {
    fn of(desk: &Desk) -> Self {
        let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0"]);
        let log = std::fs::File::create(desk.path("log")).unwrap();
        command.env("HEADROOM__SCHEDULE__TICK", "1s").stdin(Stdio::null()).stderr(log);
        let server = Self(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        // Before, a signal ends it as it ends any program.
        while !std::fs::read_to_string(desk.path("log")).unwrap().contains("listening on") {
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Backs up as soon as the server has committed something.
fn backup(desk: &Desk, file: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = desk.run(&["backup", file]);
        if said.code == 0 && !said.out.contains("nothing read yet") {
            return said.out;
        }
        assert!(Instant::now() < deadline, "{said:?}");
        let _ = std::fs::remove_file(desk.path(file));
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_running_ledger_is_backed_up_and_restored_only_when_the_server_has_stopped() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS)]).reading(&traffic(4));
    let server = Server::of(&desk);
    let out = backup(&desk, "copy.db");
    assert!(out.starts_with("data/headroom.db is backed up: 1 ledger, read until "), "{out}");
    let again = desk.run(&["backup", "copy.db"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("copy.db exists already"), "{}", again.err);

    let refused = desk.run(&["restore", "copy.db"]);
    assert_eq!(refused.code, 1);
    let expected = "error: nothing was restored: the database data/headroom.db is open in ";
    assert!(refused.err.starts_with(expected), "{}", refused.err);
    assert!(refused.err.contains("fuser data/headroom.db"), "{}", refused.err);
    server.stop();

    let restored = desk.run(&["restore", "copy.db"]);
    assert_eq!((restored.code, restored.err.as_str()), (0, ""));
    let lines: Vec<&str> = restored.out.lines().collect();
    let first = "data/headroom.db is restored from copy.db: 1 ledger";
    assert!(lines[0].starts_with(first), "{lines:?}");
    let kept = "the old database is kept as data/headroom.db.before-restore-";
    assert!(lines[1].starts_with(kept), "{lines:?}");
    let is_database = |name: &&String| !name.ends_with(".lock") && !name.ends_with(".pem");
    let databases = desk.names("data").iter().filter(is_database).count();
    assert_eq!(databases, 2, "{:?}", desk.names("data"));

    let server = Server::of(&desk);
    backup(&desk, "second.db");
    server.stop();
}

#[test]
fn files_that_are_no_ledger_change_nothing() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS), ("notes.txt", "milk, bread, and so on")]);
    for (file, says) in [
        ("notes.txt", "notes.txt is no ledger of Headroom: it is not an SQLite database"),
        ("none.db", "there is no database none.db"),
    ] {
        let said = desk.run(&["restore", file]);
        assert_eq!(said.code, 1);
        assert!(said.err.contains(says), "{}", said.err);
    }
    let said = desk.run(&["backup", "copy.db"]);
    assert!(said.code == 1 && said.err.contains("there is no database data/headroom.db"));
    assert_eq!(desk.names("."), ["notes.txt", "slos"]);
}

#[test]
fn the_past_of_an_slo_that_no_file_declares_is_not_said_to_be_there() {
    let desk = Desk::with(&[("slos/a.yaml", ORDERS)]);
    let said = desk.run(&["backfill", "orders/availabilty"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("no file declares orders/availabilty"), "{said:?}");
}
