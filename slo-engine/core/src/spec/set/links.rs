//! What documents say about each other: members of composites, and services that are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::sli::Indicator;
use crate::slo::{Name, SloId};
use crate::spec::native::Declared;
use crate::spec::yaml::Spot;
use crate::spec::{SpecError, Warning, nearest};

use super::Loading;

/// Composites and the members that they name, resolved.
type Members = BTreeMap<SloId, Vec<SloId>>;

impl Loading {
    pub(super) fn links(&mut self) {
        let members: Members = self.declared.iter().flat_map(composites).collect();
        if !members.is_empty() {
            let slos = self.declared.iter().flat_map(|d| &d.service.slos);
            let names: BTreeSet<SloId> = slos.map(|slo| slo.id.clone()).collect();
            for declared in &self.declared {
                self.errors.extend(member_faults(declared, &names, &members));
            }
        }
        let services: BTreeSet<(&Name, &Name)> =
            self.declared.iter().map(|d| (&d.service.name, &d.service.environment)).collect();
        for declared in &self.declared {
            self.warnings.extend(undeclared(declared, &services));
        }
    }
}

fn composites(declared: &Declared) -> impl Iterator<Item = (SloId, Vec<SloId>)> {
    declared.service.slos.iter().filter_map(|slo| match &slo.indicator {
        Indicator::Composite(members) => {
            let ids = members.iter().map(|m| m.slo.id(&slo.id.environment)).collect();
            Some((slo.id.clone(), ids))
        }
        _ => None,
    })
}

fn member_faults(
    declared: &Declared,
    names: &BTreeSet<SloId>,
    members: &Members,
) -> Vec<SpecError> {
    let mut faults = Vec::new();
    for (slo, spots) in declared.service.slos.iter().zip(&declared.slos) {
        let ids = members.get(&slo.id).map_or(&[][..], Vec::as_slice);
        for (at, (id, spot)) in ids.iter().zip(&spots.members).enumerate() {
            let fault = if !names.contains(id) {
                Some(no_such(declared, id, *spot, names))
            } else if ids[..at].contains(id) {
                let said = format!("`{id}` is already a member");
                let remedy = "keep one, with the sum of the weights";
                Some(declared.document.error(*spot, said).with_remedy(remedy))
            } else if reaches(members, id, &slo.id) {
                let said = format!("`{}` would be made of itself", slo.id);
                let remedy = "remove this member, or the one that leads back here";
                Some(declared.document.error(*spot, said).with_remedy(remedy))
            } else {
                None
            };
            faults.extend(fault);
        }
    }
    faults
}

fn no_such(declared: &Declared, id: &SloId, spot: Spot, names: &BTreeSet<SloId>) -> SpecError {
    let alike = names.iter().filter(|n| n.service == id.service || n.slo == id.slo);
    let known: Vec<String> = alike.map(ToString::to_string).collect();
    let remedy = nearest(&id.to_string(), known.iter().map(String::as_str)).map_or_else(
        || "declare it, or remove the member; a reference is service/slo@environment".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    declared.document.error(spot, format!("there is no SLO `{id}`")).with_remedy(remedy)
}

/// Whether one SLO is made of another, over any number of steps; it is always made of itself.
fn reaches(members: &Members, from: &SloId, to: &SloId) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(id) = open.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            open.extend(members.get(id).into_iter().flatten());
        }
    }
    false
}

fn undeclared(declared: &Declared, services: &BTreeSet<(&Name, &Name)>) -> Vec<Warning> {
    let service = &declared.service;
    let missing = service
        .depends_on
        .iter()
        .zip(&declared.depends_on)
        .filter(|(name, _)| !services.contains(&(*name, &service.environment)));
    missing
        .map(|(name, spot)| {
            let here = services.iter().filter(|(_, e)| *e == &service.environment);
            let environment = &service.environment;
            let remedy = nearest(name.as_str(), here.map(|(n, _)| n.as_str())).map_or_else(
                || "declare it, or remove it from `dependsOn`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            let said = format!("no service `{name}` is declared in environment `{environment}`");
            let finding = declared.document.error(*spot, said).with_remedy(remedy);
            Warning { code: "undeclared-dependency", finding }
        })
        .collect()
}
