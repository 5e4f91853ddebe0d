//! The YAML crate's errors in the words of someone who wrote a file, not of someone who wrote a
//! parser; and the limits that keep a hostile file from costing more than it should.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options};

use super::Spot;
use crate::spec::suggest::nearest;

/// What a parser's error means to the file's author.
pub(super) struct Explained {
    pub(super) spot: Option<Spot>,
    pub(super) message: String,
    pub(super) remedy: Option<String>,
}

pub(super) fn options() -> Options {
    let mut alias_limits = serde_saphyr::options::AliasLimits::default();
    alias_limits.max_total_replayed_events = 20_000;
    alias_limits.max_replay_stack_depth = 16;
    serde_saphyr::options! {
        with_snippet: false,
        emit_comments: false,
        strict_booleans: true,
        alias_limits: alias_limits,
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 * 1024 * 1024,
        },
    }
}

pub(super) fn explain(error: &Error) -> Explained {
    let error = error.without_snippet();
    let spot = error.location().map(|l| Spot::of(&l));
    if let Error::AliasError { error, .. } = error {
        return Explained { spot, ..explain(error) };
    }
    let (message, remedy) = words(error).unwrap_or_else(|| (plain(error), None));
    Explained { spot, message, remedy }
}

type Words = (String, Option<String>);

fn words(error: &Error) -> Option<Words> {
    let said = match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing here"), Some(format!("add `{field}: ...`")))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            (format!("`{key}` is written twice"), Some("keep one of the two".to_owned()))
        }
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            ("only one key may stand here".to_owned(), Some("keep one of them".to_owned()))
        }
        Error::UnknownAnchor { .. } => (
            "this alias names an anchor that does not exist".to_owned(),
            Some("a text that begins with `*` needs quotes".to_owned()),
        ),
        other => return wrong_type(other).or_else(|| too_much(other)),
    };
    Some(said)
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Words {
    let remedy = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    };
    (format!("unknown {what} `{word}`"), Some(remedy))
}

fn wrong_type(error: &Error) -> Option<Words> {
    let (message, remedy) = match error {
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            return Some((format!("expected {expected}, found {unexpected}"), None));
        }
        Error::Unexpected { expected, .. } => match *expected {
            "string scalar" => ("expected a text", "write one value here, no list and no mapping"),
            "mapping start" => ("expected a mapping", "write `key: value` lines here"),
            "sequence start" => ("expected a list", "begin each item with `- `"),
            _ => return None,
        },
        Error::NullIntoString { .. } => ("a value is missing here", "write one, or remove the key"),
        Error::InvalidScalar { ty, .. } => match *ty {
            ty if ty.starts_with(['u', 'i']) => ("expected a whole number", "write digits only"),
            ty if ty.starts_with('b') => ("expected true or false", "write true or false"),
            _ => ("expected a number", "write it like 1000 or 0.5"),
        },
        Error::InvalidBooleanStrict { .. } => ("expected true or false", "write true or false"),
        _ => return None,
    };
    Some((message.to_owned(), Some(remedy.to_owned())))
}

fn too_much(error: &Error) -> Option<Words> {
    let (message, remedy) = match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            ("this is nested more than 32 levels deep", "no document of Headroom needs that")
        }
        Error::Budget { .. } => {
            ("this document is larger than any that is read", "split it into several documents")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => (
            "the aliases of this document stand for more than is read",
            "write the values out instead of nesting anchors",
        ),
        _ => return None,
    };
    Some((message.to_owned(), Some(remedy.to_owned())))
}

/// The crate's own sentence without the place, which is shown in front.
fn plain(error: &Error) -> String {
    let said = error.to_string();
    said.rfind(" at line ").map_or(said.as_str(), |at| &said[..at]).to_owned()
}
