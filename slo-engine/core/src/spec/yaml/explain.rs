//! The YAML crate's errors in the words of someone who wrote a file, not of someone who wrote a
//! parser; and the limits that keep a hostile file from costing more than it should.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options};

use super::Spot;
use crate::spec::suggest::nearest;

/// What a parser's error means to the file's author.
pub(super) struct Explained {
    pub(super) spot: Option<Spot>,
    /// Whether the mapping around the spot is meant, rather than the key at it.
    pub(super) of_mapping: bool,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// What to do about tabs.
pub(super) const TABS: &str = "indent with spaces";

pub(super) fn options() -> Options {
    let mut alias_limits = serde_saphyr::options::AliasLimits::default();
    alias_limits.max_total_replayed_events = 20_000;
    alias_limits.max_replay_stack_depth = 16;
    serde_saphyr::options! {
        with_snippet: false,
        emit_comments: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
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
    let of_mapping = matches!(error, Error::SerdeMissingField { .. });
    let (message, remedy) = words(error)
        .or_else(|| wrong_type(error))
        .or_else(|| too_much(error))
        .unwrap_or_else(|| syntax(error));
    Explained { spot, of_mapping, message, remedy }
}

type Words = (String, String);

fn words(error: &Error) -> Option<Words> {
    Some(match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing here"), format!("add `{field}: ...`"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            (format!("`{key}` is written twice"), "keep one of the two".to_owned())
        }
        Error::UnknownAnchor { .. } => (
            "this alias names an anchor that does not exist".to_owned(),
            "a text that begins with `*` needs quotes".to_owned(),
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => (
            "this alias stands for something that contains itself".to_owned(),
            "write the values out".to_owned(),
        ),
        _ => return None,
    })
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Words {
    let remedy = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    };
    (format!("unknown {what} `{word}`"), remedy)
}

fn wrong_type(error: &Error) -> Option<Words> {
    let (message, remedy) = match error {
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            let remedy = format!("write {expected}");
            return Some((format!("expected {expected}, found {unexpected}"), remedy));
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
        Error::NonFiniteFloat { .. } => ("expected a finite number", "write it like 1000 or 0.5"),
        Error::InvalidBooleanStrict { .. } => ("expected true or false", "write true or false"),
        _ => return None,
    };
    Some((message.to_owned(), remedy.to_owned()))
}

fn too_much(error: &Error) -> Option<Words> {
    let (message, remedy) = match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => DEEP,
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
    Some((message.to_owned(), remedy.to_owned()))
}

/// Faults of the YAML itself: the parser's sentence without the place, which is shown in front.
fn syntax(error: &Error) -> Words {
    let said = error.to_string();
    let said = said.rfind(" at line ").map_or(said.as_str(), |at| &said[..at]);
    if said.contains("recursion limit") {
        return (DEEP.0.to_owned(), DEEP.1.to_owned());
    }
    if let Some((_, remedy)) = SYNTAX.iter().find(|(part, _)| said.contains(part)) {
        return (said.to_owned(), (*remedy).to_owned());
    }
    // What is no value of its type says so itself.
    let (said, remedy) = said
        .rsplit_once("; ")
        .unwrap_or((said, "check the indentation and the quotes at this place and above"));
    (said.to_owned(), remedy.to_owned())
}

const DEEP: (&str, &str) =
    ("this is nested more than 32 levels deep", "no document needs that; write it flatter");

/// What helps, by a part of the parser's sentence.
const SYNTAX: [(&str, &str); 7] = [
    ("surrogate", "write the character itself, or \\U and its eight digits"),
    (
        "mapping values are not allowed",
        "put a text that holds `: ` in quotes, or check the indentation",
    ),
    ("quoted scalar", "close the quote, or indent the lines that belong to it"),
    ("unexpected character", "remove it; a YAML file is text"),
    ("tag", "remove it; values are read by where they stand"),
    ("version", "remove the %YAML line"),
    ("found a tab", TABS),
];
