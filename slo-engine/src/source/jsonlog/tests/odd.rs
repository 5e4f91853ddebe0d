//! Files that are not what they seem, and lines that are none.

use super::*;

#[test]
fn a_file_that_was_emptied_begins_anew_whatever_its_new_length() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(10..20));
    lab.expect(10..20);
    for (from, to) in [(20, 30), (30, 40), (40, 45), (50, 90)] {
        lab.counted.clear();
        lab.truncate("x.log");
        lab.write("x.log", lab.lines(from..to));
        lab.expect(from..to);
    }
}

#[test]
fn what_is_left_of_a_file_that_was_cut_is_not_counted_again() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(0..50));
    lab.expect(0..50);
    for rest in [40, 25] {
        let file = OpenOptions::new().write(true).open(lab.path("x.log")).unwrap();
        file.set_len(lab.lines(0..rest).len() as u64).unwrap();
        lab.expect(0..50);
    }
    lab.write("x.log", lab.lines(50..60));
    lab.expect(0..60);
}

#[test]
fn a_change_that_left_length_and_time_as_they_were_just_now_is_seen() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(0..5));
    let time = fs::metadata(lab.path("x.log")).unwrap().modified().unwrap();
    lab.expect(0..5);
    lab.truncate("x.log");
    lab.write("x.log", lab.lines(5..10));
    let file = OpenOptions::new().append(true).open(lab.path("x.log")).unwrap();
    file.set_modified(time).unwrap();
    lab.expect(0..10);
}

#[test]
fn a_file_that_was_emptied_and_has_half_a_line_loses_nothing() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(0..5));
    lab.expect(0..5);
    let line = lab.line(5);
    let (half, rest) = line.split_at(15);
    lab.truncate("x.log");
    lab.write("x.log", half);
    lab.expect(0..5);
    lab.write("x.log", rest);
    lab.expect(0..6);
}

#[test]
fn another_file_with_the_number_of_a_known_one_is_a_new_file() {
    let mut lab = Lab::new(&["*.log"]);
    lab.write("x.log", lab.lines(0..5));
    lab.expect(0..5);
    lab.write("y.log", lab.lines(5..20));
    let metadata = fs::metadata(lab.path("y.log")).unwrap();
    let mut rows = lab.positions.rows().to_vec();
    rows[0].identity = Some(file::identity(&metadata));
    lab.remove("x.log");
    lab.positions = Positions::new(rows);
    lab.expect(0..20);
}

#[test]
fn files_with_the_same_beginning_and_other_lines_after_it_are_two() {
    let mut lab = Lab::new(&["*.log"]);
    let same = "{\"@timestamp\":0}\n".repeat(100);
    lab.write("x.log", same.clone() + &lab.lines(0..5));
    lab.poll();
    lab.counted.retain(|number, _| *number >= 0);
    lab.write("y.log", same + &lab.lines(5..10));
    lab.expect(0..10);
}

#[test]
fn a_line_of_megabytes_is_refused_once_and_the_next_one_counts() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.line(0));
    let place = lab.line(0).len();
    let mut refused = 0;
    for _ in 0..3 {
        lab.write("x.log", "x".repeat(1_500_000));
        let polled = lab.poll();
        refused += polled.refused;
        if let Some(said) = polled.first_refused {
            assert!(said.contains(&format!("x.log: the line at byte {place} is longer than 1 MB")));
        }
    }
    lab.write("x.log", "\n".to_owned() + &lab.line(1));
    lab.expect([0, 1]);
    assert_eq!(refused, 1);
    lab.write("x.log", "x".repeat(1_000_000) + "\n" + &lab.line(2));
    let polled = lab.poll();
    assert!(polled.first_refused.unwrap().contains("is no JSON object"), "it is not too long");
    lab.expect([0, 1, 2]);
}

#[test]
fn lines_that_cannot_be_counted_are_refused_with_the_place_of_the_first() {
    let mut lab = Lab::new(&["x.log"]);
    let now = lab.now;
    for (line, why) in [
        ("a text".to_owned(), "is no JSON object: expected value"),
        ("[1]".to_owned(), "is no JSON object"),
        ("{\"n\":1}".to_owned(), "has no time; name its field in `timeField`"),
        ("{\"@timestamp\":\"soon\"}".to_owned(), "has no time"),
        (
            format!("{{\"@timestamp\":{}}}", now + 2 * 86_400_000),
            "has a time more than a day ahead",
        ),
        (format!("{{\"@timestamp\":{}}}", now - 801 * 86_400_000), "has a time more than"),
    ] {
        let at = fs::metadata(lab.path("x.log")).map_or(0, |m| m.len());
        lab.write("x.log", line + "\n{}\n");
        let polled = lab.poll();
        assert_eq!((polled.refused, polled.lines), (2, 0));
        let said = polled.first_refused.unwrap();
        assert!(said.contains(&format!("x.log: the line at byte {at} {why}")), "{said}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_path_and_the_others_go_on() {
    let mut lab = Lab::new(&["*.log*", "none.json"]);
    lab.write("x.log", lab.lines(0..5));
    fs::create_dir(lab.path("folder.log")).unwrap();
    let mut broken = vec![0x1f, 0x8b, 0x77];
    broken.extend([0; 100]);
    lab.write("broken.log.gz", broken);
    std::os::unix::fs::symlink("nowhere", lab.path("dangling.log")).unwrap();
    let polled = lab.poll();
    assert_eq!(lab.counted.len(), 5);
    let said = polled.problems.join("\n");
    assert_eq!(polled.problems.len(), 3, "{said}");
    assert!(said.contains("/folder.log is no file; let `files` name files alone"), "{said}");
    assert!(said.contains("/broken.log.gz: ") && said.contains("/none.json"), "{said}");
}

#[test]
fn links_lead_to_one_file_and_its_rotation_is_seen_where_it_lies() {
    let mut lab = Lab::new(&["links/*.log"]);
    fs::create_dir(lab.path("links")).unwrap();
    fs::create_dir(lab.path("pods")).unwrap();
    lab.write("pods/0.log", lab.lines(0..5));
    for link in ["links/a.log", "links/b.log"] {
        std::os::unix::fs::symlink(lab.path("pods/0.log"), lab.path(link)).unwrap();
    }
    lab.expect(0..5);
    lab.write("pods/0.log", lab.lines(5..10));
    lab.rename("pods/0.log", "pods/0.log.20261121");
    lab.write("pods/0.log", lab.lines(10..12));
    lab.expect(0..12);
}

#[test]
fn a_file_that_did_not_change_is_not_opened() {
    let mut lab = Lab::new(&["x.log"]);
    lab.write("x.log", lab.lines(0..5));
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let file = OpenOptions::new().append(true).open(lab.path("x.log")).unwrap();
    file.set_modified(old).unwrap();
    lab.expect(0..5);
    // Not a change that anybody makes: the same length and the same time.
    let text = fs::read_to_string(lab.path("x.log")).unwrap().replace(":3}", ":7}");
    fs::write(lab.path("x.log"), text).unwrap();
    file.set_modified(old).unwrap();
    lab.expect(0..5);
}
