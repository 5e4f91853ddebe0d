//! What the files may say and this version does not act upon, so that nothing is ignored in silence.

use slo_core::slo::Slo;
use slo_core::spec::{Set, SpecError, Warning};

pub(super) fn warnings(set: &Set) -> Vec<Warning> {
    let slos = set.services.iter().flat_map(|service| &service.slos);
    let found = slos.flat_map(|slo| of_slo(set, slo));
    found.map(|finding| Warning { code: "not-built", finding }).collect()
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
