//! What must hold between calendars and the policies that name them, and between exclusions and
//! the SLOs they are about.

use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::spec::{SpecError, Warning, nearest};

use crate::calendar::Calendar;
use crate::exclusion::{Exclusion, SloPattern};
use crate::policy::{Policy, Rule};

/// Calendars of a name that another has.
pub(super) fn doubles(calendars: &[Calendar]) -> impl Iterator<Item = SpecError> {
    calendars.iter().enumerate().filter_map(|(at, calendar)| {
        let first = calendars[..at].iter().find(|earlier| earlier.name == calendar.name)?;
        let (name, place) = (calendar.name.as_str(), &first.place);
        let said = format!("the calendar `{name}` is already declared at {place}");
        let remedy = "give one of them another name, or merge the two documents";
        Some(calendar.error(said).with_remedy(remedy))
    })
}

/// `freeze` rules that name a calendar which nobody declares.
pub(super) fn unknown_calendars(
    policies: &[Policy],
    calendars: &[Calendar],
) -> impl Iterator<Item = SpecError> {
    let names: Vec<&str> = calendars.iter().map(|calendar| calendar.name.as_str()).collect();
    let named = policies.iter().flat_map(|policy| frozen_by(policy).map(move |n| (policy, n)));
    let unknown: Vec<_> = named.filter(|(_, name)| !names.contains(name)).collect();
    unknown.into_iter().map(move |(policy, name)| {
        let said =
            format!("policy `{}` names a calendar that is not declared", policy.name.as_str());
        policy.error(format!("{said}: `{name}`")).with_remedy(remedy(name, &names))
    })
}

fn frozen_by(policy: &Policy) -> impl Iterator<Item = &str> {
    policy.rules.iter().filter_map(|rule| match rule {
        Rule::Freeze(rule) => Some(rule.calendar.as_str()),
        _ => None,
    })
}

fn remedy(name: &str, names: &[&str]) -> String {
    match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => {
            format!("declare it in a document with `kind: Calendar` and `calendar: {name}`")
        }
        None => format!("declared calendars: {}", names.join(", ")),
    }
}

/// Patterns of exclusions that match no declared SLO, unless nothing is declared at all.
pub(super) fn idle_patterns(exclusions: &[Exclusion], services: &[Arc<Service>]) -> Vec<Warning> {
    if services.is_empty() {
        return Vec::new();
    }
    let is_idle = |pattern: &&SloPattern| {
        let mut slos = services.iter().flat_map(|service| &service.slos).map(|slo| &slo.id);
        !slos.any(|id| {
            pattern.matches(id.service.as_str(), id.slo.as_str(), id.environment.as_str())
        })
    };
    let idle = exclusions.iter().flat_map(|exclusion| {
        let idle = exclusion.slos.iter().filter(is_idle);
        idle.filter_map(|pattern| warning(exclusion, pattern))
    });
    idle.collect()
}

fn warning(exclusion: &Exclusion, pattern: &SloPattern) -> Option<Warning> {
    let (place, excerpt) = (exclusion.place.clone()?, exclusion.excerpt.clone());
    let message = format!("`{pattern}` matches no SLO, so this excludes nothing there");
    let remedy = Some("correct the pattern, or remove it".to_owned());
    let finding = SpecError { place, excerpt, message, remedy };
    Some(Warning { code: "exclusion-idle", finding })
}
