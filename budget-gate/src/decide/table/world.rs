//! What a case is made of, and what its lines do.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use slo_core::slo::{Gate, Service};
use slo_core::time::Span;
use slo_core::view::{Ask, BudgetView, BurnView, Group, State};

use super::words::{Words, share};
use crate::decide::*;
use crate::decision::Kind;
use crate::policy::rule::Severity;
use crate::policy::{self};
use crate::repeat::still_holds;
use crate::sample;

/// What a case is made of so far; later lines add to it.
#[derive(Clone)]
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    service: Option<Service>,
    views: Vec<BudgetView>,
    others: BTreeMap<String, Vec<BudgetView>>,
    incidents: Vec<Incident>,
    deployments: Vec<Deployment>,
    overrides: Vec<Override>,
    claims: Vec<DateTime<Utc>>,
    /// All of the file, of which some are in force.
    known: Vec<Policy>,
    policies: Vec<Policy>,
    calendars: Vec<Calendar>,
    recorded: Vec<(Request, Decision)>,
    pub(super) answer: Option<Decision>,
}

impl World {
    pub(super) fn new(policies: &[Policy], calendars: &[Calendar]) -> Self {
        Self {
            now: sample::now(),
            service: None,
            views: Vec::new(),
            others: BTreeMap::new(),
            incidents: Vec::new(),
            deployments: Vec::new(),
            overrides: Vec::new(),
            claims: Vec::new(),
            known: policies.to_vec(),
            policies: policies.to_vec(),
            calendars: calendars.to_vec(),
            recorded: Vec::new(),
            answer: None,
        }
    }

    pub(super) fn run(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = Words::of(rest);
        match word {
            "at" => self.now = words.need("an instant").parse().expect("an instant"),
            "under" => self.under(&mut words),
            "service" => self.declare(&mut words),
            "slo" => {
                let view = self.view("orders", &mut words);
                let place =
                    |v: &BudgetView| (v.slo.clone(), v.environment.clone(), v.group.clone());
                self.views.retain(|old| place(old) != place(&view));
                self.views.push(view);
            }
            "dependency" => self.dependency(&mut words),
            "incident" => self.incident(&mut words),
            "ran" => self.ran(&mut words),
            "override" => self.overriding(&mut words),
            "reread" => self.reread(),
            "claimed" => self.claims.push(self.now - words.length()),
            "ask" => self.ask(&mut words),
            "check" => self.check(&mut words),
            "unrecorded" => self.unrecorded(),
            _ => return self.expect(word, rest, &mut words),
        }
        assert_eq!(words.next(), None, "a word too many");
    }

    fn under(&mut self, words: &mut Words<'_>) {
        let mut wanted = Vec::new();
        while let Some(name) = words.next() {
            let name = name.trim_end_matches(',');
            match name {
                "shipped" => wanted.push(policy::shipped()),
                "nothing" => {}
                _ => {
                    let found = self.known.iter().find(|p| p.name.as_str() == name);
                    wanted.push(found.unwrap_or_else(|| panic!("no policy {name}")).clone());
                }
            }
        }
        self.policies = wanted;
    }

    /// `service tier 1 [label team=checkout] [depends payment] [slo NAME]..`: declares `orders`.
    fn declare(&mut self, words: &mut Words<'_>) {
        let mut service = sample::service("orders", 1, "production", &[]);
        let mut slos = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "tier" => service.tier = words.number("the tier") as u8,
                "in" => {
                    let name = words.need("an environment");
                    service.environment = slo_core::slo::Name::parse(name).unwrap();
                }
                "label" => {
                    let (key, value) = words.need("a label").split_once('=').expect("key=value");
                    service.labels.insert(key.to_owned(), value.to_owned());
                }
                "depends" => {
                    let name = words.need("a service").trim_end_matches(',');
                    service.depends_on.push(slo_core::slo::Name::parse(name).unwrap());
                }
                "slo" => slos.push(words.need("an SLO")),
                other => panic!("`{other}` is no part of a service"),
            }
        }
        if !slos.is_empty() {
            service.slos.clone_from(&sample::declaring(&slos).slos);
        }
        self.service = Some(service);
    }

    /// `NAME no data` or `NAME 1000 bad of 1000000`, and what is special about it.
    fn view(&self, service: &str, words: &mut Words<'_>) -> BudgetView {
        let name = words.need("the SLO's name");
        let first = words.need("a count or `no data`");
        let mut view = if first == "no" {
            words.skip(&["data"]);
            sample::no_data(name)
        } else {
            let bad = first.replace('_', "").parse().expect("a count");
            words.skip(&["bad", "of"]);
            sample::view(name, bad, words.number("the total"))
        };
        view.service = service.into();
        self.read(&mut view);
        while let Some(word) = words.next() {
            self.refine(&mut view, word, words);
        }
        view
    }

    /// The same numbers, read until half a minute ago.
    fn read(&self, view: &mut BudgetView) {
        view.evaluated_at = self.now - Duration::seconds(4);
        view.data_until = view.data_until.map(|_| self.now - Duration::seconds(30));
        for window in &mut view.windows {
            (window.from, window.to) = (self.now - Duration::days(30), self.now);
        }
    }

    fn reread(&mut self) {
        let mut views = std::mem::take(&mut self.views);
        views.iter_mut().for_each(|view| self.read(view));
        self.views = views;
    }

    fn refine(&self, view: &mut BudgetView, word: &str, words: &mut Words<'_>) {
        let window = &mut view.windows[0];
        match word {
            "old" => view.data_until = Some(self.now - words.length()),
            "stale" => {
                view.state = State::Stale;
                view.conditions.insert(0, State::Stale);
            }
            "informs" => view.gate = Gate::Informs,
            "grouped" => view.gate = Gate::Groups,
            "group" => {
                let (key, value) = words.need("a label").split_once('=').expect("key=value");
                let labels = Arc::new([(key.to_owned(), value.to_owned())].into());
                view.group = Some(Group::Labels { labels });
            }
            "in" => view.environment = words.need("an environment").into(),
            "mature" => window.maturity = share(words.need("a share")),
            "covered" => window.coverage = Some(share(words.need("a share"))),
            "uncovered" => window.coverage = None,
            "unmeasured" => window.remaining = None,
            "exhausts" => window.exhausts_at = Some(self.now + words.length()),
            "recovers" => {
                let least = words.need("a share");
                let at = self.now + words.length();
                let named = Some(window.window.to_string());
                for window in [None, named] {
                    let ask = Ask::Remaining { window, at_least: share(least) };
                    view.answers.push((ask, Some(at)));
                }
            }
            "window" => {
                let (name, bad) = (words.need("a window"), words.number("the bad events"));
                words.skip(&["of"]);
                view.windows.push(sample::window(name, bad, words.number("the total")));
            }
            "burn" => self.burn(view, words),
            other => panic!("`{other}` is no part of an SLO"),
        }
    }

    /// `burn 1h 20 by 500 [cools 40m below 14.4]`, or `burn 1h unknown`.
    fn burn(&self, view: &mut BudgetView, words: &mut Words<'_>) {
        let window = Span::parse(words.need("a window")).expect("a window");
        let rate = words.need("a rate");
        let rate = (rate != "unknown").then(|| rate.parse().expect("a rate"));
        let mut bad = 0;
        if rate.is_some() {
            words.skip(&["by"]);
            bad = words.number("the bad events") as i64;
        }
        if words.0.last() == Some(&"cools") {
            words.next();
            let at = Some(self.now + words.length());
            words.skip(&["below"]);
            let at_most = words.number("the limit");
            view.answers.push((Ask::Burn { window, at_most }, at));
        }
        view.burn.retain(|old| old.window != window);
        view.burn.push(BurnView { window, rate, bad });
    }

    /// `payment/availability 10 bad of 1000`, or `payment undeclared`.
    fn dependency(&mut self, words: &mut Words<'_>) {
        let name = words.need("a service");
        match name.split_once('/') {
            Some((service, slo)) => {
                words.0.push(slo);
                let view = self.view(service, words);
                self.others.entry(service.to_owned()).or_default().push(view);
            }
            None => {
                words.skip(&["without", "SLO"]);
                self.others.entry(name.to_owned()).or_default();
            }
        }
    }

    /// `critical db [confirmed 5h ago] [in staging] [closed]`
    fn incident(&mut self, words: &mut Words<'_>) {
        let severity = match words.need("a severity") {
            "critical" => Severity::Critical,
            "major" => Severity::Major,
            "minor" => Severity::Minor,
            other => panic!("`{other}` is no severity"),
        };
        let mut incident = sample::incident(words.need("a key"), severity);
        incident.confirmed_at = self.now;
        while let Some(word) = words.next() {
            match word {
                "confirmed" => {
                    incident.confirmed_at = self.now - words.length();
                    words.skip(&["ago"]);
                }
                "in" => incident.environment = Some(words.need("an environment").to_owned()),
                "anywhere" => incident.environment = None,
                "closed" => incident.closed_at = Some(self.now),
                other => panic!("`{other}` is no part of an incident"),
            }
        }
        self.incidents.retain(|old| old.key != incident.key);
        self.incidents.push(incident);
    }

    /// `1.4.1 9d ago [digest sha256:a]`
    fn ran(&mut self, words: &mut Words<'_>) {
        let version = words.need("a version").to_owned();
        let at = self.now - words.length();
        words.skip(&["ago"]);
        let mut digest = None;
        if words.0.last() == Some(&"digest") {
            words.next();
            digest = Some(words.need("a digest").to_owned());
        }
        self.deployments.push(Deployment {
            id: version.clone(),
            service: "orders".to_owned(),
            environment: "production".to_owned(),
            version,
            digest,
            commit: None,
            at,
            principal: "token:ci".to_owned(),
        });
        self.deployments.sort_by_key(|one| one.at);
    }

    /// `ID for 2h made 1h ago [approved ben].. [commit 9f] [revoked]`
    fn overriding(&mut self, words: &mut Words<'_>) {
        let mut one = sample::override_of(words.need("an id"), 1);
        words.skip(&["for"]);
        let length = words.length();
        one.at = self.now;
        while let Some(word) = words.next() {
            match word {
                "made" => {
                    one.at = self.now - words.length();
                    words.skip(&["ago"]);
                }
                "approved" => one.approvals.push(words.need("a name").to_owned()),
                "commit" => one.commit = Some(words.need("a commit").to_owned()),
                "revoked" => one.revoked_at = Some(self.now),
                other => panic!("`{other}` is no part of an override"),
            }
        }
        one.until = one.at + length;
        self.overrides.retain(|old| old.id != one.id);
        self.overrides.push(one);
    }

    /// `[KIND] [VERSION] [digest D] [commit C] [of SERVICE] [in ENVIRONMENT]`
    fn request(&self, words: &mut Words<'_>) -> Request {
        let environment = self.service.as_ref().map(|s| s.environment.as_str());
        let mut request = Request {
            environment: Some(environment.unwrap_or("production").to_owned()),
            ..Request::of("orders")
        };
        while let Some(word) = words.next() {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
            match (kind, word) {
                (Some(kind), _) => request.kind = kind,
                (None, "digest") => request.digest = words.next().map(str::to_owned),
                (None, "commit") => request.commit = words.next().map(str::to_owned),
                (None, "of") => request.service = words.need("a service").to_owned(),
                (None, "in") => request.environment = words.next().map(str::to_owned),
                (None, version) => request.version = Some(version.to_owned()),
            }
        }
        request
    }

    fn decide(&self, request: &Request) -> Decision {
        let others = |name: &str| self.others.get(name).map(Vec::as_slice);
        let is_meant = |s: &&Service| {
            s.name.as_str() == request.service
                && request.environment.as_deref().is_none_or(|e| e == s.environment.as_str())
        };
        // What was deployed, overruled and claimed is known of `orders` in production only.
        let is_there = request.service == "orders"
            && request.environment.as_deref().is_none_or(|e| e == "production");
        let asked_before = self.recorded.iter().rfind(|(asked, _)| asked == request);
        let known = Known {
            deployments: &self.deployments,
            overrides: &self.overrides,
            claims: &self.claims,
            asked_before: asked_before.map(|(_, old)| old.at),
        };
        let facts = Facts {
            dependencies: &others,
            calendars: &self.calendars,
            incidents: &self.incidents,
            known: if is_there { known } else { Known::default() },
            groups: &self.views,
            ..Facts::of(self.service.as_ref().filter(is_meant), &self.views)
        };
        decide(request, &facts, &self.policies, self.now)
    }

    fn ask(&mut self, words: &mut Words<'_>) {
        let request = self.request(words);
        self.answer = Some(self.decide(&request));
    }

    /// A question whose answer is recorded, and repeated while it holds.
    fn check(&mut self, words: &mut Words<'_>) {
        let request = self.request(words);
        let fresh = self.decide(&request);
        let of_it = |(asked, old): &(Request, Decision)| {
            *asked == request && still_holds(old, &fresh, self.now)
        };
        let held = self.recorded.iter().rfind(|one| of_it(one)).map(|(_, old)| old.clone());
        let answer = held.unwrap_or_else(|| {
            self.recorded.push((request.clone(), fresh.clone()));
            fresh
        });
        self.answer = Some(answer);
    }

    fn unrecorded(&mut self) {
        let decision = self.answer.as_mut().expect("a question before");
        let name = decision.policy.as_ref().map(|p| p.name.clone());
        let policy = self.policies.iter().find(|p| Some(p.name.as_str()) == name.as_deref());
        decision.unrecorded(policy, "the disk is full");
    }
}
