//! One SLO: from its shape to the domain's [`Slo`].

use crate::slo::{
    BILLION, Budgeting, Gate, MAX_GAP, MAX_GROUPS, Name, Objective, Service, Slo, SloId,
    Unmeasured, Window, parse_share,
};
use crate::spec::yaml::{Spanned, Spot};
use crate::time::Span;

use super::SloSpots;
use super::reader::{FINEST, Reader};
use super::shape::{
    BudgetText, GateText, IndicatorDocument, ShareText, SlicesDocument, SloDocument, SpanText,
    TextOr, UnmeasuredWord,
};

/// Whose SLO it is. Unknown when the service itself could not be read: the SLO is then read for
/// its faults alone.
pub(super) struct Owner(Option<(Name, Name)>);

impl Owner {
    pub(super) fn of(service: Option<&Service>) -> Self {
        Self(service.map(|s| (s.name.clone(), s.environment.clone())))
    }

    fn id(&self, slo: Name) -> Option<SloId> {
        let (service, environment) = self.0.clone()?;
        Some(SloId { service, slo, environment })
    }
}

/// The keys of an SLO that stand for themselves.
struct Settings {
    gate: Gate,
    look_back: Option<Span>,
    max_gap: Span,
    stale_after: Option<Span>,
    group_by: Vec<String>,
    max_groups: usize,
    attribute_by: Vec<String>,
    was: Option<Name>,
}

/// The most that `maxGroups` may say.
const MOST_GROUPS: i64 = 10_000;

impl Reader<'_> {
    pub(super) fn slo(&mut self, owner: &Owner, shape: &SloDocument) -> Option<(Slo, SloSpots)> {
        let name = self.name(&shape.name);
        let objective = self.objective(&shape.objective);
        let windows = self.windows(shape.window.as_ref());
        let budgeting = self.budgeting(shape, windows.as_deref());
        let indicator = self.indicator(&shape.indicator);
        let settings = self.settings(shape);
        let alerts = self.alerts(shape.alerts.as_ref());
        self.fits(shape);
        let (settings, windows, alerts) = (settings?, windows?, alerts?);
        let slo = Slo {
            id: owner.id(name?)?,
            description: shape.description.clone(),
            objective: objective?,
            windows,
            gate: settings.gate,
            indicator: indicator?,
            budgeting: budgeting?,
            unmeasured: shape.unmeasured.as_ref().map_or(Unmeasured::Ignore, |u| u.value.into()),
            look_back: settings.look_back,
            max_gap: settings.max_gap,
            stale_after: settings.stale_after,
            alerts,
            group_by: settings.group_by,
            max_groups: settings.max_groups,
            attribute_by: settings.attribute_by,
            was: settings.was,
        };
        self.lint(&slo, shape);
        let slice = shape.budgeting.as_ref().and_then(|b| slice_spot(&b.value));
        let members = member_spots(&shape.indicator.value);
        Some((slo, SloSpots { name: shape.name.spot, members, slice }))
    }

    fn objective(&mut self, text: &Spanned<ShareText>) -> Option<Objective> {
        let ppb = self.note(text.spot, parse_share(&text.value.0), FINEST)?;
        self.note(text.spot, Objective::from_ppb(ppb), "write it like 99.9% or 0.999")
    }

    fn settings(&mut self, shape: &SloDocument) -> Option<Settings> {
        let gate = self.gate(shape);
        let group_by = shape.group_by.as_ref().map_or(Some(vec![]), |l| self.labels(&l.value));
        let attribute_by = self.labels(&shape.attribute_by);
        let max_groups = self.max_groups(shape.max_groups.as_ref());
        let look_back = self.optional_span(shape.look_back.as_ref());
        let max_gap = self.optional_span(shape.max_gap.as_ref());
        let stale_after = self.optional_span(shape.stale_after.as_ref());
        let was = shape.was.as_ref().map_or(Some(None), |was| self.name(was).map(Some));
        Some(Settings {
            gate: gate?,
            look_back: look_back?,
            max_gap: max_gap?.unwrap_or(MAX_GAP),
            stale_after: stale_after?,
            group_by: group_by?,
            max_groups: max_groups?,
            attribute_by: attribute_by?,
            was: was?,
        })
    }

    fn gate(&mut self, shape: &SloDocument) -> Option<Gate> {
        let Some(Spanned { value: GateText(word), spot }) = &shape.gate else {
            return Some(Gate::Decides);
        };
        let grouped = shape.group_by.as_ref().is_some_and(|l| !l.value.is_empty());
        match word.as_str() {
            "true" => Some(Gate::Decides),
            "false" => Some(Gate::Informs),
            "groups" if grouped => Some(Gate::Groups),
            "groups" => {
                let remedy = "add `groupBy: [label]`, or write true";
                self.refuse(*spot, "without `groupBy` there are no groups to decide", remedy)
            }
            other => {
                let said = format!("`{other}` is no way to take part in the gate");
                let remedy = "write true (it decides), false (it informs only) or groups";
                self.refuse(*spot, &said, remedy)
            }
        }
    }

    fn labels(&mut self, labels: &[Spanned<String>]) -> Option<Vec<String>> {
        let mut read = Vec::new();
        for label in labels {
            let name = self.filled(label)?;
            if read.contains(&name) {
                return self.refuse(label.spot, &format!("`{name}` stands here twice"), "keep one");
            }
            read.push(name);
        }
        Some(read)
    }

    fn max_groups(&mut self, number: Option<&Spanned<i64>>) -> Option<usize> {
        let Some(number) = number else {
            return Some(MAX_GROUPS);
        };
        if number.value > MOST_GROUPS {
            let said = format!("more than {MOST_GROUPS} groups are too many to be looked at");
            return self.refuse(number.spot, &said, "group by a label with fewer values");
        }
        usize::try_from(number.value).ok().filter(|n| *n > 0).or_else(|| {
            self.refuse(number.spot, "at least one group must fit", "write one such as 50")
        })
    }

    fn budgeting(&mut self, shape: &SloDocument, windows: Option<&[Window]>) -> Option<Budgeting> {
        let Some(Spanned { value, spot }) = &shape.budgeting else {
            return Some(Budgeting::Occurrences);
        };
        let remedy = "write occurrences, {timeslices: {size: 5m, goodWhen: 95%}} or \
            {ratioTimeslices: {size: 5m}}";
        match value {
            TextOr::Text(BudgetText(word)) if word == "occurrences" => Some(Budgeting::Occurrences),
            TextOr::Mapping(SlicesDocument { timeslices: Some(t), ratio_timeslices: None }) => {
                let (size, good_when) =
                    (self.slice(&t.size, windows), self.share(&t.good_when, BILLION));
                Some(Budgeting::Timeslices { size: size?, good_when: good_when? })
            }
            TextOr::Mapping(SlicesDocument { timeslices: None, ratio_timeslices: Some(t) }) => {
                Some(Budgeting::RatioTimeslices { size: self.slice(&t.size, windows)? })
            }
            TextOr::Text(BudgetText(word)) => {
                self.refuse(*spot, &format!("`{word}` alone is no way to count a budget"), remedy)
            }
            TextOr::Mapping(_) => {
                self.refuse(*spot, "a budget is counted in exactly one way", remedy)
            }
        }
    }

    fn slice(&mut self, size: &Spanned<SpanText>, windows: Option<&[Window]>) -> Option<Span> {
        let span = self.minutes(size)?;
        let shorter = |w: &&Window| matches!(w, Window::Rolling(window) if *window < span);
        let Some(window) = windows.into_iter().flatten().find(shorter) else {
            return Some(span);
        };
        let said = format!("a slice of {span} does not fit in the window {window}");
        self.refuse(size.spot, &said, "write a shorter one, such as 5m")
    }

    /// What must hold between the indicator and the rest of the SLO.
    fn fits(&mut self, shape: &SloDocument) {
        let slices = shape.budgeting.as_ref().is_some_and(|b| slice_spot(&b.value).is_some());
        let IndicatorDocument { raw, composite, .. } = &shape.indicator.value;
        if raw.is_some() && !slices {
            let said = "a ratio from elsewhere has no weight, so its events cannot be counted";
            let remedy = "add `budgeting: {timeslices: {size: 5m, goodWhen: 95%}}` to the SLO";
            self.fault(shape.indicator.spot, said, remedy);
        }
        let cuts = [
            ("groupBy", shape.group_by.as_ref().map(|g| g.spot)),
            ("attributeBy", shape.attribute_by.first().map(|a| a.spot)),
        ];
        let keys =
            [("budgeting", shape.budgeting.as_ref().map(|b| b.spot))].into_iter().chain(cuts);
        let (kind, remedy) = match () {
            () if composite.is_some() => ("composite", "set it on its members"),
            () if raw.is_some() => ("ratio from elsewhere", "count events with `ratio` instead"),
            () => return,
        };
        for (key, spot) in keys.filter(|(key, _)| composite.is_some() || *key != "budgeting") {
            if let Some(spot) = spot {
                let said = format!("a {kind} counts nothing itself, so `{key}` has no meaning");
                self.fault(spot, &said, remedy);
            }
        }
    }
}

fn slice_spot(shape: &TextOr<BudgetText, SlicesDocument>) -> Option<Spot> {
    let TextOr::Mapping(SlicesDocument { timeslices, ratio_timeslices }) = shape else {
        return None;
    };
    let size = timeslices.as_ref().map(|t| &t.size);
    size.or(ratio_timeslices.as_ref().map(|t| &t.size)).map(|size| size.spot)
}

fn member_spots(shape: &IndicatorDocument) -> Vec<Spot> {
    shape.composite.iter().flatten().map(|member| member.value.slo.spot).collect()
}

impl From<UnmeasuredWord> for Unmeasured {
    fn from(word: UnmeasuredWord) -> Self {
        match word {
            UnmeasuredWord::Ignore => Self::Ignore,
            UnmeasuredWord::Good => Self::Good,
            UnmeasuredWord::Bad => Self::Bad,
        }
    }
}
