//! `schema`, `config` and `completions`, and the help of every command.

use super::{Desk, POLICY};

#[test]
fn every_command_explains_itself_in_lines_that_fit_a_terminal() {
    let desk = Desk::with(&[]);
    let help = desk.run(&["--help"]);
    let commands: Vec<&str> = help
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"validate") && commands.contains(&"doctor"), "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        let help = desk.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(
            help.out.lines().all(|line| line.chars().count() <= 100),
            "{command}: {}",
            help.out
        );
    }
}

#[test]
fn schemas_of_all_kinds_are_those_of_the_repository() {
    let desk = Desk::with(&[]);
    for (arguments, committed) in [
        (&["schema"][..], include_str!("../../../../docs/schema/service.v1.json")),
        (&["schema", "--kind", "policy"], include_str!("../../../../docs/schema/policy.v1.json")),
        (
            &["schema", "--kind", "calendar"],
            include_str!("../../../../docs/schema/calendar.v1.json"),
        ),
        (
            &["schema", "--kind", "exclusion"],
            include_str!("../../../../docs/schema/exclusion.v1.json"),
        ),
    ] {
        assert!(desk.run(arguments).out == committed, "{arguments:?}");
    }
    assert_eq!(desk.run(&["schema", "--kind", "season"]).code, 2);
}

#[test]
fn completions_are_a_script_for_the_shell_that_is_asked_for() {
    let desk = Desk::with(&[]);
    for (shell, line) in [("bash", "_slo__engine()"), ("zsh", "#compdef slo-engine")] {
        let said = desk.run(&["completions", shell]);
        assert!(said.code == 0 && said.out.contains(line), "{shell}: {}", said.out);
    }
    assert_eq!(desk.run(&["completions", "abacus"]).code, 2);
}

#[test]
fn the_reference_of_the_configuration_is_a_configuration() {
    let desk = Desk::with(&[]);
    let reference = desk.run(&["config"]).out;
    desk.write("headroom.yaml", &reference);
    desk.write("slos/p.yaml", POLICY);
    let said = desk.run(&["validate", "--config", "headroom.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 policy; no errors, no warnings\n"));
}
