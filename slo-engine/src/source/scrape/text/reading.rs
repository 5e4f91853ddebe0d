//! The state of a body that is being read: the family, the rows so far, and what is wanted.

use std::borrow::Cow;
use std::collections::HashMap;

use slo_core::labels::Labels;

use super::error::{NO_NAME_LABEL, ONE_OF_EACH_LABEL, TextError};
use super::line::{Line, Pairs, Raw, Sample, millis_of_seconds};
use super::{Exposition, Format, Kind, Row};

/// What is done with the rows of one name; asked once per name and family, not once per row.
#[derive(Clone, Copy)]
struct Verdict<'a> {
    name: Raw<'a>,
    kind: Kind,
    /// Keep it as a row.
    row: bool,
    /// It says when a wanted series began.
    created: bool,
}

/// When a series began, and the line that says so.
#[derive(Clone, Copy)]
struct Created {
    millis: i64,
    line: usize,
}

pub(super) struct Reading<'a, 'w> {
    format: Format,
    wanted: &'w dyn Fn(&str) -> bool,
    family: Option<(Cow<'a, str>, Kind)>,
    verdicts: Vec<Verdict<'a>>,
    pairs: Pairs<'a>,
    rows: Vec<Row>,
    /// The line of each row.
    lines: Vec<usize>,
    /// By family and labels.
    created: HashMap<Labels, Created>,
    samples: usize,
}

impl<'a, 'w> Reading<'a, 'w> {
    /// A family has at most five names; bodies without `# TYPE` lines must not make a long list.
    const VERDICTS: usize = 8;

    pub(super) fn new(format: Format, wanted: &'w dyn Fn(&str) -> bool) -> Self {
        Self {
            format,
            wanted,
            family: None,
            verdicts: Vec::with_capacity(Self::VERDICTS),
            pairs: Vec::new(),
            rows: Vec::new(),
            lines: Vec::new(),
            created: HashMap::new(),
            samples: 0,
        }
    }

    pub(super) fn line(&mut self, text: &'a str, number: usize) -> Result<(), TextError> {
        let line = Line::new(text, number, self.format);
        match text.bytes().find(|b| *b != b' ' && *b != b'\t') {
            None => Ok(()),
            Some(b'#') => self.comment(line),
            Some(_) => {
                let sample = line.sample(&mut self.pairs)?;
                self.sample(&sample, number)
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Exposition, TextError> {
        self.refuse_duplicates()?;
        if !self.created.is_empty() {
            for row in self.rows.iter_mut().filter(|r| r.kind != Kind::Gauge) {
                row.created = created_of(&row.labels, &self.created);
            }
        }
        Ok(Exposition { rows: self.rows, samples: self.samples })
    }

    fn comment(&mut self, line: Line<'a>) -> Result<(), TextError> {
        if let Some((name, kind)) = line.family_type()? {
            self.family = Some((name.unescaped(), kind));
            self.verdicts.clear();
        }
        Ok(())
    }

    fn sample(&mut self, sample: &Sample<'a>, number: usize) -> Result<(), TextError> {
        self.samples += 1;
        let verdict = self.verdict(sample.name);
        if verdict.created {
            self.keep_created(sample, number)?;
        }
        if verdict.row {
            let labels = self.labels(&sample.name.unescaped(), number)?;
            let (value, millis, kind) = (sample.value, sample.millis, verdict.kind);
            self.rows.push(Row { labels, value, millis, kind, created: None });
            self.lines.push(number);
        }
        Ok(())
    }

    fn verdict(&mut self, name: Raw<'a>) -> Verdict<'a> {
        if let Some(known) = self.verdicts.iter().find(|v| v.name == name) {
            return *known;
        }
        let text = name.unescaped();
        let created = self.created_base(&text).is_some_and(|base| self.wants_any_of(base));
        let (kind, row) = (self.kind(&text), (self.wanted)(&text));
        let verdict = Verdict { name, kind, row, created };
        if self.verdicts.len() == Self::VERDICTS {
            self.verdicts.clear();
        }
        self.verdicts.push(verdict);
        verdict
    }

    fn kind(&self, name: &str) -> Kind {
        let Some((family, kind)) = &self.family else { return Kind::Unknown };
        if self.created_base(name).is_some() {
            return Kind::Gauge;
        }
        match name.strip_prefix(family.as_ref()) {
            Some(suffix) if kind.suffixes().contains(&suffix) => *kind,
            Some(_) | None => Kind::Unknown,
        }
    }

    /// The family whose beginning a `_created` name tells: its own family, or, as libraries write
    /// in 0.0.4, a gauge of that name.
    fn created_base<'n>(&self, name: &'n str) -> Option<&'n str> {
        let base = name.strip_suffix("_created")?;
        let (family, kind) = self.family.as_ref()?;
        let counts = matches!(kind, Kind::Counter | Kind::Histogram | Kind::Summary);
        let own = counts && (family == base || family.strip_suffix("_total") == Some(base));
        let gauge = self.format == Format::Text && *kind == Kind::Gauge && family == name;
        (own || gauge).then_some(base)
    }

    fn wants_any_of(&self, base: &str) -> bool {
        COUNTED.iter().any(|suffix| (self.wanted)(&format!("{base}{suffix}")))
    }

    fn keep_created(&mut self, sample: &Sample<'a>, number: usize) -> Result<(), TextError> {
        let name = sample.name.unescaped();
        let labels = self.labels(name.strip_suffix("_created").unwrap_or(&name), number)?;
        let Some(millis) = millis_of_seconds(sample.value).filter(|millis| *millis > 0) else {
            return Ok(());
        };
        let began = Created { millis, line: number };
        match self.created.insert(labels, began) {
            Some(other) if other.millis != millis => {
                let series = self.labels(&name, number)?.to_string();
                Err(TextError::Duplicate { series, first: other.line, second: number })
            }
            _ => Ok(()),
        }
    }

    /// The labels of the line just read, under a metric's name.
    fn labels(&self, name: &str, number: usize) -> Result<Labels, TextError> {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(self.pairs.len() + 1);
        pairs.push((Cow::Borrowed("__name__"), Cow::Borrowed(name)));
        pairs.extend(self.pairs.iter().map(|(n, v)| (n.unescaped(), v.unescaped())));
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let repeated = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0);
        match repeated.map(|pair| pair[0].0.as_ref()) {
            Some("__name__") => Err(NO_NAME_LABEL.broken(number, "__name__")),
            Some(label) => Err(ONE_OF_EACH_LABEL.broken(number, label)),
            None => Ok(Labels::new(pairs)),
        }
    }

    /// Series are compared as sets of labels, whatever their order in the line.
    fn refuse_duplicates(&self) -> Result<(), TextError> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|a, b| self.rows[*a].labels.cmp(&self.rows[*b].labels));
        let same = |pair: &&[usize]| {
            let (first, second) = (&self.rows[pair[0]], &self.rows[pair[1]]);
            first.labels == second.labels && !self.is_later_point(first, second)
        };
        let Some(pair) = order.windows(2).filter(same).min_by_key(|pair| pair[1]) else {
            return Ok(());
        };
        Err(TextError::Duplicate {
            series: self.rows[pair[0]].labels.to_string(),
            first: self.lines[pair[0]],
            second: self.lines[pair[1]],
        })
    }

    /// OpenMetrics lets a series have several points, when their timestamps rise.
    fn is_later_point(&self, first: &Row, second: &Row) -> bool {
        self.format == Format::OpenMetrics
            && first.millis.zip(second.millis).is_some_and(|(a, b)| a < b)
    }
}

/// Name endings of what counts up from the created instant.
const COUNTED: [&str; 5] = ["_total", "_bucket", "_count", "_sum", ""];

fn created_of(labels: &Labels, created: &HashMap<Labels, Created>) -> Option<i64> {
    let name = labels.metric();
    let bases = COUNTED.iter().filter_map(|suffix| name.strip_suffix(suffix));
    bases.filter_map(|base| created.get(&of_family(labels, base))).map(|c| c.millis).next()
}

/// The labels that all rows of one histogram or summary share.
fn of_family(labels: &Labels, base: &str) -> Labels {
    let own = labels.iter().filter(|(n, _)| !matches!(*n, "__name__" | "le" | "quantile"));
    Labels::new(own.chain([("__name__", base)]))
}
