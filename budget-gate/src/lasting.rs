//! A decision that answers the same question for a while: its JSON with the places left open that go
//! with the clock, so that a peek that is asked often is decided once and its ages are true each time.

use std::mem::take;
use std::ops::Range;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::decision::{Decision, RuleResult, Verdict};
use crate::words;

/// Most decisions are shorter.
const USUAL: usize = 8_192;

/// What goes with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ageing {
    /// The time since an instant.
    Since(DateTime<Utc>),
    /// The time until one, nothing when it is past.
    Until(DateTime<Utc>),
}

impl Ageing {
    /// The seconds that are shown, by the time since the instant.
    pub(crate) fn seconds(self, since: TimeDelta) -> f64 {
        match self {
            Self::Since(_) => since.num_milliseconds() as f64 / 1_000.0,
            Self::Until(_) => ((-since).num_milliseconds() as f64 / 1_000.0).max(0.0),
        }
    }

    fn at(self, now: DateTime<Utc>) -> f64 {
        let (Self::Since(then) | Self::Until(then)) = self;
        self.seconds(now - then)
    }
}

/// A rule's result whose observed value is an age, and where its reason says it in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aged {
    pub(crate) age: Ageing,
    pub(crate) words: Range<usize>,
}

/// A decision for a while.
#[derive(Debug, Clone)]
pub struct Lasting {
    /// Its verdict.
    pub verdict: Verdict,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Its JSON.
    text: Box<[u8]>,
    /// Where something is left open, in the order of the text.
    open: Box<[(usize, Open)]>,
}

#[derive(Debug, Clone, Copy)]
enum Open {
    /// The instant.
    At,
    /// Whole seconds since an instant.
    Whole(DateTime<Utc>),
    Seconds(Ageing),
    Words(Ageing),
}

impl Lasting {
    /// A decision until an instant, with the rules that show ages and the oldest view it was made from.
    /// `None` when it has no JSON.
    pub(crate) fn of(
        decision: &mut Decision,
        ages: &[(usize, Aged)],
        oldest: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
    ) -> Option<Self> {
        let (reasons, rules) = (take(&mut decision.reasons), take(&mut decision.rules));
        let age = decision.snapshot_age_seconds.take();
        let json = json(&*decision);
        (decision.reasons, decision.rules) = (reasons, rules);
        decision.snapshot_age_seconds = age;
        let json = json?;
        let text = Vec::with_capacity(USUAL);
        let (mut writing, mut rest) = (Writing { text, open: Vec::new() }, json.as_str());
        let at = serde_json::to_string(&decision.at).ok()?;
        writing.leave(&mut rest, (r#""at":"#, &at), Open::At)?;
        writing.pass(&mut rest, r#""reasons":["#)?;
        let age = |at: usize| ages.iter().find(|(aged, _)| *aged == at).map(|(_, aged)| aged);
        let all = || decision.rules.iter().enumerate();
        let mut speaking = all().filter(|(_, rule)| rule.verdict != Verdict::Allow);
        for (place, reason) in decision.reasons.iter().enumerate() {
            writing.between(place);
            writing.sentence(reason, speaking.next().and_then(|(at, _)| age(at)))?;
        }
        writing.pass(&mut rest, r#""rules":["#)?;
        for (place, rule) in all() {
            writing.between(place);
            writing.rule(rule, age(place))?;
        }
        if let Some(oldest) = oldest {
            let key = r#""snapshotAgeSeconds":"#;
            writing.leave(&mut rest, (key, "null"), Open::Whole(oldest))?;
        }
        let Writing { mut text, open } = writing;
        text.extend_from_slice(rest.as_bytes());
        let (text, open) = (text.into(), open.into());
        Some(Self { verdict: decision.verdict, from: decision.at, until, text, open })
    }

    /// The first instant at which it may no longer answer the question.
    #[must_use]
    pub const fn ends(&self) -> DateTime<Utc> {
        self.until
    }

    /// Whether it answers the question at an instant.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until
    }

    /// The decision of an instant at which it holds, as JSON.
    #[must_use]
    pub fn json(&self, now: DateTime<Utc>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 32 * self.open.len());
        let mut from = 0;
        for (to, open) in &self.open {
            out.extend_from_slice(&self.text[from..*to]);
            from = *to;
            match open {
                Open::At => {
                    // As it is serialized, without an adapter around each letter.
                    let at = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                    out.push(b'"');
                    out.extend_from_slice(at.as_bytes());
                    out.push(b'"');
                }
                Open::Whole(then) => write(&mut out, &(now - *then).num_seconds()),
                Open::Seconds(age) => write(&mut out, &age.at(now)),
                Open::Words(age) => {
                    out.extend_from_slice(words::length(age.at(now).max(0.0)).as_bytes());
                }
            }
        }
        out.extend_from_slice(&self.text[from..]);
        out
    }
}

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("an instant and a finite number have JSON");
}

/// JSON that is taken over piece by piece. A key is found by its quotes: within a text they are escaped.
struct Writing {
    text: Vec<u8>,
    open: Vec<(usize, Open)>,
}

impl Writing {
    /// Takes over what comes up to the end of a key.
    fn pass(&mut self, rest: &mut &str, key: &str) -> Option<()> {
        let (before, after) = rest.split_at_checked(rest.find(key)? + key.len())?;
        self.say(before);
        *rest = after;
        Some(())
    }

    /// Leaves the value of a key open.
    fn leave(&mut self, rest: &mut &str, (key, value): (&str, &str), open: Open) -> Option<()> {
        self.pass(rest, key)?;
        *rest = rest.strip_prefix(value)?;
        self.open.push((self.text.len(), open));
        Some(())
    }

    fn between(&mut self, place: usize) {
        if place > 0 {
            self.text.push(b',');
        }
    }

    fn say(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn json(&mut self, value: &impl Serialize) -> Option<()> {
        serde_json::to_writer(&mut self.text, value).ok()
    }

    /// A text with its quotes.
    fn sentence(&mut self, text: &str, aged: Option<&Aged>) -> Option<()> {
        let Some(Aged { age, words }) = aged else { return self.json(&text) };
        let before = serde_json::to_string(text.get(..words.start)?).ok()?;
        let after = serde_json::to_string(text.get(words.end..)?).ok()?;
        self.say(before.strip_suffix('"')?);
        self.open.push((self.text.len(), Open::Words(*age)));
        self.say(after.strip_prefix('"')?);
        Some(())
    }

    fn rule(&mut self, rule: &RuleResult, aged: Option<&Aged>) -> Option<()> {
        let Some(aged) = aged else { return self.json(rule) };
        let shell = RuleResult { observed: None, reason: String::new(), ..rule.clone() };
        let json = json(&shell)?;
        let mut rest = json.as_str();
        self.leave(&mut rest, (r#""observed":"#, "null"), Open::Seconds(aged.age))?;
        self.pass(&mut rest, r#""reason":"#)?;
        self.sentence(&rule.reason, Some(aged))?;
        self.say(rest.strip_prefix(r#""""#)?);
        Some(())
    }
}

/// In room that most answers without their rules need.
fn json(value: &impl Serialize) -> Option<String> {
    let mut text = Vec::with_capacity(USUAL / 8);
    serde_json::to_writer(&mut text, value).ok()?;
    String::from_utf8(text).ok()
}
