//! The indicator of an SLO; ratios are in [`super::sides`].

use crate::selector::{Op, Selector};
use crate::sli::{
    Durations, Indicator, Latency, LogQuery, Member, Part, Range, Raw, Threshold, Under,
    WhenDelayed,
};
use crate::slo::Reference;
use crate::spec::yaml::{Spanned, Spot};
use crate::time::Span;

use super::reader::Reader;
use super::shape::{
    IndicatorDocument, LatencyDocument, MemberDocument, RawDocument, ThresholdDocument, UnitWord,
    WhenDelayedWord,
};

const REFERENCE: &str = "write service/slo, or service/slo@environment";

/// How long a composite's member may be behind when nothing else is said.
const MAX_DELAY: Span = Span::minutes(10);

impl Reader<'_> {
    pub(super) fn indicator(&mut self, shape: &Spanned<IndicatorDocument>) -> Option<Indicator> {
        let spot = shape.spot;
        match &shape.value {
            i if i.kinds() != 1 => {
                let remedy = "write one of ratio, latency, threshold, raw and composite; several \
                    SLOs may stand side by side";
                self.refuse(spot, "an SLO has exactly one indicator", remedy)
            }
            IndicatorDocument { ratio: Some(ratio), .. } => {
                self.ratio(spot, ratio).map(Indicator::Ratio)
            }
            IndicatorDocument { latency: Some(latency), .. } => {
                self.latency(spot, latency).map(Indicator::Latency)
            }
            IndicatorDocument { threshold: Some(threshold), .. } => {
                self.threshold(spot, threshold).map(Indicator::Threshold)
            }
            IndicatorDocument { raw: Some(raw), .. } => self.raw(spot, raw).map(Indicator::Raw),
            i => self.composite(spot, i.composite.as_deref().unwrap_or_default()),
        }
    }

    fn latency(&mut self, spot: Spot, shape: &LatencyDocument) -> Option<Latency> {
        let source = self.optional(shape.source.as_ref());
        let durations = match (&shape.histogram, &shape.field) {
            (Some(histogram), None) => self.histogram(histogram, shape),
            (None, Some(field)) => self.field(spot, field, shape),
            (Some(_), Some(field)) => {
                let said = "durations come from a histogram or from a field of logs";
                self.refuse(field.spot, said, "keep one of the two")
            }
            (None, None) => {
                let remedy = "add `histogram:` with its base name, or `field:` for logs";
                self.refuse(spot, "this latency does not say where durations are", remedy)
            }
        };
        let span = self.span(&shape.under);
        let durations = durations?;
        let unit = self.unit(&durations, shape)?;
        let (source, span) = (source?, span?);
        Some(Latency { source, durations, under: Under { in_unit: in_unit(span, unit), span } })
    }

    fn histogram(&mut self, text: &Spanned<String>, shape: &LatencyDocument) -> Option<Durations> {
        let logs = shape.index.as_ref().or(shape.heartbeat.as_ref()).map(|key| key.spot);
        if let Some(spot) = logs.or(shape.query.as_ref().map(|query| query.spot)) {
            let said = "this belongs to logs, not to a histogram";
            return self.refuse(spot, said, "remove it, or write `field` for `histogram`");
        }
        let selector = self.events(text.spot, &text.value)?;
        let Some(metric) = selector.metric() else {
            let remedy = "write it like http_request_duration_seconds{service=\"orders\"}";
            return self.refuse(text.spot, "a histogram needs its base name", remedy);
        };
        let suffix = ["_bucket", "_count", "_sum"].iter().find_map(|s| metric.strip_suffix(s));
        if let Some(base) = suffix {
            let said = format!("`{metric}` is one series of a histogram, not its base name");
            return self.refuse(text.spot, &said, &format!("write `{base}`"));
        }
        if selector.matchers.iter().any(|m| m.label == "le") {
            let said = "the engine chooses the bucket; `le` does not belong here";
            return self.refuse(text.spot, said, "remove it; `under` is the threshold");
        }
        Some(Durations::Histogram(selector))
    }

    fn field(
        &mut self,
        spot: Spot,
        field: &Spanned<String>,
        shape: &LatencyDocument,
    ) -> Option<Durations> {
        let name = self.filled(field);
        let index = self.optional(shape.index.as_ref());
        let heartbeat = self.optional_kql(shape.heartbeat.as_ref());
        let Some(query) = &shape.query else {
            let remedy = "add `query:`, such as 'url.path : \"/search\"'";
            return self.refuse(spot, "which documents have the field is not said", remedy);
        };
        let query = self.filter(query);
        let logs = LogQuery { index: index?, query: query?, heartbeat: heartbeat? };
        Some(Durations::Field { logs, field: name? })
    }

    /// The unit by the metric's suffix or by `unit`, which may not contradict each other.
    fn unit(&mut self, durations: &Durations, shape: &LatencyDocument) -> Option<UnitWord> {
        let named = match durations {
            Durations::Histogram(selector) => unit_of(selector),
            Durations::Field { .. } => None,
        };
        match (named, &shape.unit) {
            (None, Some(unit)) => Some(unit.value),
            (Some(named), None) => Some(named),
            (Some(named), Some(unit)) if named == unit.value => Some(named),
            (Some(_), Some(unit)) => {
                let said = "the metric's name says another unit";
                self.refuse(unit.spot, said, "remove `unit`; it is for names without a suffix")
            }
            (None, None) => {
                let spot = shape.histogram.as_ref().or(shape.field.as_ref()).map(|s| s.spot);
                let said = "the unit of these durations is not known";
                let remedy = "add `unit: s` (or ms, us, ns), or use a metric whose name ends with \
                    _seconds or _milliseconds";
                self.refuse(spot.unwrap_or(shape.under.spot), said, remedy)
            }
        }
    }

    fn threshold(&mut self, spot: Spot, shape: &ThresholdDocument) -> Option<Threshold> {
        let source = self.optional(shape.source.as_ref());
        let gauge = self.gauge(&shape.gauge);
        let good = self.range(spot, shape);
        Some(Threshold { source: source?, gauge: gauge?, good: good? })
    }

    fn gauge(&mut self, text: &Spanned<String>) -> Option<Selector> {
        let selector = self.selector(text.spot, &text.value)?;
        if selector.is_named() {
            return Some(selector);
        }
        let remedy = "put it in front, such as rabbitmq_queue_messages{queue=\"orders\"}";
        self.refuse(text.spot, "a gauge needs its metric's name", remedy)
    }

    fn range(&mut self, spot: Spot, shape: &ThresholdDocument) -> Option<Range> {
        let limits = [&shape.below, &shape.above, &shape.from, &shape.to];
        if let Some(wild) = limits.into_iter().flatten().find(|l| !l.value.is_finite()) {
            return self.refuse(wild.spot, "a limit is a finite number", "write it like 1000");
        }
        match limits.map(|limit| limit.as_ref().map(|l| l.value)) {
            [Some(below), None, None, None] => Some(Range::Below(below)),
            [None, Some(above), None, None] => Some(Range::Above(above)),
            [None, None, Some(from), Some(to)] if from <= to => Some(Range::Between(from, to)),
            [None, None, Some(from), Some(to)] => {
                let said = format!("no value lies from {from} to {to}");
                self.refuse(spot, &said, "swap `from` and `to`")
            }
            _ => {
                let remedy = "write `below`, `above`, or `from` and `to`";
                self.refuse(spot, "a threshold needs one limit or one range", remedy)
            }
        }
    }

    fn raw(&mut self, spot: Spot, shape: &RawDocument) -> Option<Raw> {
        let source = self.optional(shape.source.as_ref());
        let (text, share_of) = match (&shape.error_ratio, &shape.good_ratio) {
            (Some(text), None) => (text, Part::Bad),
            (None, Some(text)) => (text, Part::Good),
            _ => {
                let remedy = "write either `errorRatio:` or `goodRatio:` with an expression";
                return self.refuse(spot, "a raw indicator has exactly one ratio", remedy);
            }
        };
        let expression = self.filled(text);
        Some(Raw { source: source?, expression: expression?, share_of })
    }

    fn composite(&mut self, spot: Spot, list: &[Spanned<MemberDocument>]) -> Option<Indicator> {
        if list.is_empty() {
            let remedy = "add `- {slo: service/slo, weight: 1}`";
            return self.refuse(spot, "a composite without members", remedy);
        }
        let members: Vec<_> = list.iter().map(|m| self.member(&m.value)).collect();
        members.into_iter().collect::<Option<_>>().map(Indicator::Composite)
    }

    fn member(&mut self, shape: &MemberDocument) -> Option<Member> {
        let slo = self.note(shape.slo.spot, Reference::parse(&shape.slo.value.0), REFERENCE);
        let weight = shape.weight.as_ref();
        let max_delay = self.optional_span(shape.max_delay.as_ref());
        if let Some(wild) = weight.filter(|w| !(w.value.is_finite() && w.value > 0.0)) {
            let said = "a weight is a number above 0";
            return self.refuse(wild.spot, said, "write one such as 1, or remove the member");
        }
        Some(Member {
            slo: slo?,
            weight: weight.map_or(1.0, |w| w.value),
            when_delayed: match shape.when_delayed {
                None | Some(WhenDelayedWord::Ignore) => WhenDelayed::Ignore,
                Some(WhenDelayedWord::CountAsBad) => WhenDelayed::CountAsBad,
                Some(WhenDelayedWord::CountAsGood) => WhenDelayed::CountAsGood,
            },
            max_delay: max_delay?.unwrap_or(MAX_DELAY),
        })
    }
}

impl IndicatorDocument {
    fn kinds(&self) -> usize {
        let Self { ratio, latency, threshold, raw, composite } = self;
        let given = [
            ratio.is_some(),
            latency.is_some(),
            threshold.is_some(),
            raw.is_some(),
            composite.is_some(),
        ];
        given.into_iter().filter(|given| *given).count()
    }
}

/// The unit that a metric's name ends with.
fn unit_of(selector: &Selector) -> Option<UnitWord> {
    let named = selector.matchers.iter().find(|m| m.label == "__name__" && m.op == Op::Equal)?;
    [
        ("_seconds", UnitWord::S),
        ("_milliseconds", UnitWord::Ms),
        ("_microseconds", UnitWord::Us),
        ("_nanoseconds", UnitWord::Ns),
    ]
    .into_iter()
    .find(|(suffix, _)| named.value.ends_with(suffix))
    .map(|(_, unit)| unit)
}

/// A span in a unit; the division comes last, so that 500 ms are exactly 0.5 s.
fn in_unit(span: Span, unit: UnitWord) -> f64 {
    let millis = span.as_millis() as f64;
    match unit {
        UnitWord::S => millis / 1e3,
        UnitWord::Ms => millis,
        UnitWord::Us => millis * 1e3,
        UnitWord::Ns => millis * 1e6,
    }
}
