//! The service of a document: its own keys, and its SLOs without doubles.

use std::sync::Arc;

use std::collections::BTreeMap;

use crate::slo::{Name, Service, Slo};
use crate::spec::SpecError;
use crate::spec::yaml::{Document, Spanned, Spot};

use super::reader::Reader;
use super::shape::{NameText, ServiceDocument};
use super::slo::Owner;
use super::{Declared, SloSpots};

/// Words that stand for a service in the engine's routes.
const RESERVED: [&str; 2] = ["decisions", "overrides"];

pub(super) fn service(
    document: &Document,
    shape: &ServiceDocument,
) -> Result<Declared, Vec<SpecError>> {
    let mut reader = Reader::new(document);
    let service = reader.service(shape);
    let slos = reader.slos(shape, service.as_ref());
    let (Some(service), true) = (service, reader.errors.is_empty()) else {
        return Err(reader.errors);
    };
    let (slos, spots) =
        slos.into_iter().flatten().map(|(slo, spots)| (Arc::new(slo), spots)).unzip();
    Ok(Declared {
        service: Service { slos, ..service }.into(),
        warnings: reader.warnings,
        document: document.clone(),
        name: shape.service.spot,
        depends_on: shape.depends_on.iter().map(|d| d.spot).collect(),
        slos: spots,
    })
}

impl Reader<'_> {
    /// The service without its SLOs.
    fn service(&mut self, shape: &ServiceDocument) -> Option<Service> {
        let name = self.service_name(&shape.service);
        let environment = self.name(&shape.environment);
        let tier = self.tier(&shape.tier);
        let depends_on = shape.depends_on.iter().map(|d| self.name(d)).collect::<Vec<_>>();
        self.depends_on_itself(shape, name.as_ref());
        Some(Service {
            name: name?,
            environment: environment?,
            title: shape.title.clone(),
            owner: shape.owner.clone(),
            tier: tier?,
            depends_on: depends_on.into_iter().collect::<Option<_>>()?,
            links: shape.links.clone(),
            labels: shape.labels.clone(),
            slos: Vec::new(),
        })
    }

    fn service_name(&mut self, text: &Spanned<NameText>) -> Option<Name> {
        let name = self.name(text)?;
        if !RESERVED.contains(&name.as_str()) {
            return Some(name);
        }
        let said = format!("`{name}` is reserved: the engine's own routes are called so");
        self.refuse(text.spot, &said, "give the service another name")
    }

    fn tier(&mut self, text: &Spanned<i64>) -> Option<u8> {
        let tier = u8::try_from(text.value).ok().filter(|tier| (1..=4).contains(tier));
        tier.or_else(|| {
            let said = format!("there is no tier {}", text.value);
            self.refuse(text.spot, &said, "write 1 (most critical) to 4")
        })
    }

    fn depends_on_itself(&mut self, shape: &ServiceDocument, name: Option<&Name>) {
        let own = |text: &&Spanned<NameText>| name.is_some_and(|n| n.as_str() == text.value.0);
        if let Some(text) = shape.depends_on.iter().find(own) {
            self.fault(text.spot, "a service cannot depend on itself", "remove it");
        }
    }

    fn slos(
        &mut self,
        shape: &ServiceDocument,
        service: Option<&Service>,
    ) -> Vec<Option<(Slo, SloSpots)>> {
        let owner = Owner::of(service);
        let mut seen = BTreeMap::new();
        let mut read = Vec::new();
        for slo in &shape.slos {
            self.once(&mut seen, &slo.name);
            read.push(self.slo(&owner, slo));
        }
        self.old_names(shape, &seen);
        read
    }

    fn once<'s>(&mut self, seen: &mut BTreeMap<&'s str, Spot>, name: &'s Spanned<NameText>) {
        match seen.get(name.value.0.as_str()) {
            None => drop(seen.insert(&name.value.0, name.spot)),
            Some(first) => {
                let first = self.document.place(*first);
                let said = format!("the SLO `{}` is already declared at {first}", name.value.0);
                self.fault(name.spot, &said, "give one of the two another name");
            }
        }
    }

    fn old_names(&mut self, shape: &ServiceDocument, names: &BTreeMap<&str, Spot>) {
        let mut taken = BTreeMap::new();
        for was in shape.slos.iter().filter_map(|slo| slo.was.as_ref()) {
            let old = was.value.0.as_str();
            let other = names.get(old).or_else(|| taken.get(old));
            if let Some(other) = other.map(|spot| self.document.place(*spot)) {
                let said = format!("the history of `{old}` is already taken by the SLO at {other}");
                self.fault(was.spot, &said, "one SLO only can go on with it");
            }
            taken.insert(old, was.spot);
        }
    }
}
