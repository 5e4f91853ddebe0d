use super::*;

const SERVICE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: orders\ntier: 1\n\
    environment: production\nslos:\n  - name: availability\n    objective: 99.9%\n    indicator: \
    {ratio: {total: hits_total, bad: '{code=~\"5..\"}'}}\n";
const POLICY: &str = "apiVersion: headroom/v1\nkind: Policy\npolicy: mine\nrules: []\n\
    onUnknown: deny\nnoSlo: deny\n";
const CALENDAR: &str = "apiVersion: headroom/v1\nkind: Calendar\ncalendar: year-end\nzone: UTC\n\
    closed: [{from: Fri 16:00, until: Mon 08:00, reason: weekends}]\n";
const EXCLUSION: &str = "apiVersion: headroom/v1\nkind: Exclusion\nslos: [orders/*]\n\
    from: 2026-11-20T02:00Z\nuntil: 2026-11-20T02:40Z\nreason: upgrade\nauthor: ana\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_folder_of_policies_is_checked_and_does_not_serve() {
    let folder = folder(&[("p.yaml", POLICY)]);
    let paths = [folder.path().to_owned()];
    let declared = check(&paths, None).unwrap();
    assert_eq!((declared.slos(), declared.policies.len(), declared.is_shipped), (0, 1, false));
    assert!(read(&paths, None).unwrap_err()[0].message.contains("there is no SLO"));
}

#[test]
fn a_folder_without_any_declaration_is_refused() {
    let folder = folder(&[("notes.txt", "hello")]);
    let errors = check(&[folder.path().to_owned()], None).unwrap_err();
    assert!(errors[0].message.contains("there is no SLO") && errors[0].remedy.is_some());
}

#[test]
fn calendars_and_exclusions_are_carried_with_the_policies() {
    let folder = folder(&[("a.yaml", SERVICE), ("c.yaml", CALENDAR), ("x.yaml", EXCLUSION)]);
    let declared = read(&[folder.path().to_owned()], None).unwrap();
    assert_eq!((declared.calendars.len(), declared.exclusions.len()), (1, 1));
    assert!(declared.warnings.is_empty(), "{:?}", declared.warnings);
}

#[test]
fn policies_on_the_command_line_may_name_calendars_of_the_files() {
    let folder = folder(&[("a.yaml", SERVICE), ("c.yaml", CALENDAR), ("x.yaml", EXCLUSION)]);
    let declared = read(&[folder.path().to_owned()], None).unwrap();
    let other = folder.path().join("other.yaml");
    let freeze = "rules: [{freeze: {calendar: year-end}}]";
    std::fs::write(&other, POLICY.replace("rules: []", freeze)).unwrap();
    let declared = with_policies_of(declared, std::slice::from_ref(&other)).unwrap();
    assert_eq!((declared.calendars.len(), declared.exclusions.len()), (1, 1));
    std::fs::write(&other, POLICY.replace("rules: []", &freeze.replace("year", "tax-year")))
        .unwrap();
    let errors = with_policies_of(declared, &[other]).unwrap_err();
    assert!(errors[0].message.contains("not declared"), "{errors:?}");
}

#[test]
fn errors_of_services_do_not_hide_those_of_policies() {
    let folder = folder(&[
        ("a.yaml", &SERVICE.replace("99.9%", "100%")),
        ("p.yaml", &POLICY.replace("onUnknown: deny\n", "")),
    ]);
    let errors = read(&[folder.path().to_owned()], None).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].place.file.ends_with("a.yaml") && errors[1].place.file.ends_with("p.yaml"));
}

#[test]
fn policies_on_the_command_line_replace_those_of_the_files() {
    let folder = folder(&[("a.yaml", SERVICE), ("p.yaml", POLICY)]);
    let other = folder.path().join("other.yaml");
    let declared = read(&[folder.path().to_owned()], None).unwrap();
    std::fs::write(&other, POLICY.replace("mine", "stricter")).unwrap();
    let declared = with_policies_of(declared, std::slice::from_ref(&other)).unwrap();
    let names: Vec<&str> = declared.policies.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["stricter"]);
    let errors = with_policies_of(declared, &[folder.path().join("a.yaml")]).unwrap_err();
    assert!(errors[0].message.contains("there is no policy"), "{errors:?}");
}
