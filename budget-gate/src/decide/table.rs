//! Runs the decision table: `tests/gate/*.gatetest`, whose language tests/gate/README.md describes.

use std::path::Path;

use slo_core::spec::yaml;

use crate::calendar;
use crate::policy;
use world::World;

mod expected;
mod words;
mod world;

/// A part of a file: a policy, a calendar or a case, with the lines below it.
struct Part<'a> {
    head: &'a str,
    lines: Vec<(usize, &'a str)>,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match (line.starts_with(' '), parts.last_mut()) {
            (true, Some(part)) => part.lines.push((at + 1, line)),
            _ => parts.push(Part { head: line, lines: Vec::new() }),
        }
    }
    parts
}

fn document(kind: &str, name: &str, part: &Part<'_>) -> yaml::Document {
    let key = kind.to_lowercase();
    let body: Vec<&str> =
        part.lines.iter().map(|(_, line)| line.strip_prefix("  ").unwrap_or(line)).collect();
    let text =
        format!("apiVersion: headroom/v1\nkind: {kind}\n{key}: {name}\n{}\n", body.join("\n"));
    yaml::documents(name, text.as_bytes()).remove(0).unwrap()
}

/// Runs one file; answers how many cases it has, and what failed.
fn run(file: &Path, failed: &mut Vec<String>) -> usize {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut policies, mut calendars, mut cases) = (Vec::new(), Vec::new(), 0);
    for part in parts(&text) {
        match part.head.split_once(' ').unwrap_or((part.head, "")) {
            ("policy", name) => {
                policies.push(policy::read(&document("Policy", name, &part)).unwrap());
            }
            ("calendar", name) => {
                calendars.push(calendar::read(&document("Calendar", name, &part)).unwrap());
            }
            ("case", sentence) => {
                cases += 1;
                let mut world = World::new(&policies, &calendars);
                for (number, line) in part.lines {
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        world.run(line.trim());
                    }));
                    if ran.is_err() {
                        let (file, line) = (file.display(), line.trim());
                        failed.push(format!("{file}:{number}: {sentence}: {line}"));
                        break;
                    }
                }
            }
            (other, _) => panic!("{}: `{other}` begins no part", file.display()),
        }
    }
    cases
}

#[test]
fn every_case_of_the_decision_table_holds() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gate"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tables = files.filter(|file| file.extension().is_some_and(|e| e == "gatetest"));
    let mut failed = Vec::new();
    let cases: usize = tables.map(|file| run(&file, &mut failed)).sum();
    assert!(failed.is_empty(), "{} of {cases} cases failed:\n{}", failed.len(), failed.join("\n"));
    assert!(cases >= 150, "there are {cases} cases only");
}
