//! What the files may say and this version does not act upon, so that nothing is ignored in silence.

use budget_gate::exclusion::Exclusion;
use slo_core::slo::Slo;
use slo_core::spec::{Set, SpecError, Warning};

pub(super) fn warnings(set: &Set) -> Vec<Warning> {
    let slos = set.services.iter().flat_map(|service| &service.slos);
    let found = slos.flat_map(|slo| of_slo(set, slo));
    found.map(|finding| Warning { code: "not-built", finding }).collect()
}

/// Exclusions are kept for the audit, and budgets do not use them.
pub(super) fn exclusions(all: &[Exclusion]) -> impl Iterator<Item = Warning> {
    all.iter().filter_map(|one| {
        let finding = SpecError {
            place: one.place.clone()?,
            excerpt: one.excerpt.clone(),
            message: "this exclusion is recorded but not applied by this version".to_owned(),
            remedy: Some(
                "expect budgets to count these times; keep it for when they do not".into(),
            ),
        };
        Some(Warning { code: "not-built", finding })
    })
}

fn of_slo(set: &Set, slo: &Slo) -> Vec<SpecError> {
    let name = &slo.id.slo;
    let keys =
        [("groupBy", !slo.group_by.is_empty()), ("attributeBy", !slo.attribute_by.is_empty())];
    let ignored = keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| {
        (format!("`{key}` of {name} is not acted upon by this version"), "remove it until it is")
    });
    ignored
        .filter_map(|(said, remedy)| Some(set.finding(&slo.id, &said)?.with_remedy(remedy)))
        .collect()
}
