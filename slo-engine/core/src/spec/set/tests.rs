use super::*;
use crate::sli::{Durations, Events, Indicator, LogFilter, Part};
use crate::slo::{Budgeting, Gate, Name, Window};

fn one(text: &str) -> Result<Set, Vec<SpecError>> {
    load(vec![("orders.yaml".to_owned(), text.as_bytes().to_vec())])
}

/// The example of the language's description, with the service that its composite names.
fn whole() -> Set {
    let payment = "apiVersion: headroom/v1\nkind: Service\nservice: payment\ntier: 1\n\
        environment: production\nslos:\n  - name: availability\n    objective: 99%\n    indicator: \
        {ratio: {total: up, bad: '{x=\"1\"}'}}\n";
    load(vec![
        ("orders.yaml".to_owned(), include_bytes!("tests/whole.yaml").to_vec()),
        ("payment.yaml".to_owned(), payment.as_bytes().to_vec()),
    ])
    .unwrap_or_else(|errors| panic!("{}", errors[0]))
}

#[test]
fn the_whole_example_of_the_language_is_read() {
    let set = whole();
    let service = &set.services[0];
    assert_eq!((service.name.as_str(), service.tier, service.slos.len()), ("orders", 1, 9));
    println!("{:#?}", set.warnings);
}
