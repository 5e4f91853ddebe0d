//! Rotation by renaming and by copying: no line is lost, and none is counted twice.

use super::*;

#[test]
fn a_renamed_file_is_read_to_its_end_under_its_new_name() {
    for glob in ["x.log", "x.log*"] {
        let mut lab = Lab::new(&[glob]);
        lab.write("x.log", lab.lines(0..5));
        lab.expect(0..5);
        lab.write("x.log", lab.lines(5..10));
        lab.rename("x.log", "x.log.1");
        lab.write("x.log", lab.lines(10..12));
        lab.expect(0..12);
        // The writer still has the old one open.
        lab.write("x.log.1", lab.lines(12..14));
        lab.expect(0..14);
        lab.rename("x.log.1", "x.log.2");
        lab.rename("x.log", "x.log.1");
        lab.write("x.log.2", lab.lines(14..16));
        lab.write("x.log.1", lab.lines(16..18));
        lab.write("x.log", lab.lines(18..20));
        lab.expect(0..20);
    }
}

#[test]
fn the_rest_of_a_packed_file_is_read_and_nothing_twice() {
    for glob in ["x.log", "x.log*"] {
        let mut lab = Lab::new(&[glob]);
        lab.write("x.log", lab.lines(0..50));
        lab.expect(0..50);
        lab.write("x.log", lab.lines(50..60));
        lab.rename("x.log", "x.log.1");
        lab.gzip("x.log.1");
        lab.write("x.log", lab.lines(60..65));
        lab.expect(0..65);
        lab.rename("x.log.1.gz", "x.log.2.gz");
        lab.rename("x.log", "x.log.1");
        lab.write("x.log", lab.lines(65..66));
        lab.expect(0..66);
        lab.pack("x.log.1");
        lab.expect(0..66);
        lab.remove("x.log.1");
        lab.expect(0..66);
    }
}

#[test]
fn a_copy_is_not_counted_again_and_brings_what_was_not_read_before_the_file_was_emptied() {
    for glob in ["x.log", "x.log*"] {
        let mut lab = Lab::new(&[glob]);
        lab.write("x.log", lab.lines(0..5));
        lab.expect(0..5);
        lab.write("x.log", lab.lines(5..10));
        lab.copy_truncate("x.log", "x.log.1");
        lab.write("x.log", lab.lines(10..12));
        lab.expect(0..12);
        lab.rename("x.log.1", "x.log.2");
        lab.write("x.log", lab.lines(12..20));
        lab.copy_truncate("x.log", "x.log.1");
        lab.gzip("x.log.2");
        lab.write("x.log", lab.lines(20..30));
        lab.expect(0..30);
    }
}

#[test]
fn a_copy_is_met_at_every_step_of_its_making() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines(0..50));
    lab.expect(0..50);
    lab.write("x.log", lab.lines(50..60));
    let whole = fs::read(lab.path("x.log")).unwrap();
    let mut at = 0;
    for length in [0, 10, 70, 1_100, whole.len()] {
        lab.write("x.log.1", &whole[at..length]);
        at = length;
        lab.expect(0..60);
    }
    // Written between copying and emptying, and read in time.
    lab.write("x.log", lab.lines(60..62));
    lab.expect(0..62);
    lab.truncate("x.log");
    lab.expect(0..62);
    lab.write("x.log", lab.lines(62..64));
    lab.expect(0..64);
}

#[test]
fn a_copy_is_read_on_where_a_limit_stopped_reading_the_file() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines(0..50));
    assert!(lab.poll_at_most(1_000).is_behind && lab.counted.len() < 50);
    fs::copy(lab.path("x.log"), lab.path("x.log.1")).unwrap();
    assert!(lab.poll_at_most(500).is_behind && lab.counted.len() < 50);
    lab.truncate("x.log");
    lab.write("x.log", lab.lines(50..60));
    lab.expect(0..60);
}

#[test]
fn a_file_and_its_packed_copy_at_the_first_start_are_one() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log.1", lab.lines(0..50));
    lab.pack("x.log.1");
    lab.expect(0..50);
    lab.remove("x.log.1");
    lab.expect(0..50);
}

#[test]
fn a_packed_file_that_is_being_written_is_read_when_it_is_complete() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log.1", lab.lines(0..5_000));
    lab.gzip("x.log.1");
    let whole = fs::read(lab.path("x.log.1.gz")).unwrap();
    lab.remove("x.log.1.gz");
    lab.write("x.log.1.gz", &whole[..whole.len() / 2]);
    let polled = lab.poll();
    assert!(polled.problems[0].contains("x.log.1.gz: "), "{:?}", polled.problems);
    assert!(polled.problems[0].contains("ends in the middle"), "{:?}", polled.problems);
    lab.write("x.log.1.gz", &whole[whole.len() / 2..]);
    lab.expect(0..5_000);
}

#[test]
fn two_rotations_while_nothing_read_lose_nothing_that_the_globs_name() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines(0..5));
    lab.expect(0..5);
    for from in [5, 10, 15] {
        lab.write("x.log", lab.lines(from..from + 5));
        for old in ["x.log.2", "x.log.1", "x.log"] {
            let number: i32 = old.rsplit('.').next().unwrap().parse().unwrap_or(0);
            if lab.path(old).exists() {
                lab.rename(old, &format!("x.log.{}", number + 1));
            }
        }
    }
    lab.gzip("x.log.3");
    lab.write("x.log", lab.lines(20..25));
    lab.expect(0..25);
}

#[test]
fn a_file_that_was_moved_away_and_back_is_known() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(0..5));
    lab.expect(0..5);
    lab.rename("x.log", "away");
    assert!(lab.poll().problems[0].contains("there is no file"));
    lab.rename("away", "x.log");
    lab.write("x.log", lab.lines(5..8));
    lab.expect(0..8);
    let text = fs::read(lab.path("x.log")).unwrap();
    lab.remove("x.log");
    lab.poll();
    lab.write("x.log", text);
    lab.expect(0..8);
}

#[test]
fn files_that_are_gone_for_a_day_are_forgotten() {
    let mut lab = Lab::new(&["x.log*"]);
    lab.write("x.log", lab.lines(0..5));
    lab.write("x.log.1", lab.lines(5..9));
    lab.expect(0..9);
    lab.remove("x.log.1");
    lab.expect(0..9);
    assert_eq!(lab.positions.rows().len(), 2);
    let later = |lab: &mut Lab, millis| {
        lab.source.poll(&mut lab.positions, &[], ALL, lab.now + millis);
        lab.positions.rows().len()
    };
    assert_eq!(later(&mut lab, 86_300_000), 2);
    assert_eq!(later(&mut lab, 86_500_000), 1, "the file that is there stays");
    assert_eq!(lab.positions.rows()[0].gone_since, None);
}

#[test]
fn a_file_that_the_globs_no_longer_name_is_left_alone() {
    let mut lab = Lab::new(&["*.log"]);
    lab.write("x.log", lab.lines(0..5));
    lab.write("y.log", lab.lines(5..9));
    lab.expect(0..9);
    let glob = lab.path("y.log").display().to_string();
    lab.source = Jsonlog::new(&[glob], "@timestamp").unwrap();
    lab.write("x.log", lab.lines(10..20));
    lab.write("y.log", lab.lines(9..10));
    lab.expect(0..10);
}
