//! Compiled regular expressions, each kept once: thousands of SLOs say `code=~"5.."`, and a compiled
//! one costs more time and memory than all the rest of a selector.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use regex::bytes::Regex;

mod portable;

/// The expressions in use, by their text. Only a memory of pure results: it changes no answer.
static IN_USE: LazyLock<Mutex<HashMap<String, Weak<Regex>>>> = LazyLock::new(Mutex::default);

/// A regular expression anchored at both ends, as in Prometheus.
///
/// # Errors
/// What is wrong with it.
pub(super) fn anchored(pattern: &str) -> Result<Arc<Regex>, String> {
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = in_use.get(pattern).and_then(Weak::upgrade) {
        return Ok(known);
    }
    let compiled = |pattern: &str| {
        Regex::new(&format!("^(?s:{pattern})$"))
            .map_err(|e| format!("`{pattern}` is not a regular expression: {}", reason(&e)))
    };
    let regex = compiled(pattern)?;
    let meant = portable::read(pattern)
        .map_err(|why| format!("`{pattern}` is no regular expression of Prometheus: {why}"))?;
    let regex = if meant == pattern { regex } else { compiled(&meant)? };
    let regex = Arc::new(regex);
    if in_use.len() == in_use.capacity() {
        in_use.retain(|_, known| known.strong_count() > 0);
    }
    in_use.insert(pattern.to_owned(), Arc::downgrade(&regex));
    Ok(regex)
}

/// The last line of a regular expression's error, which says why; those before it draw the place.
fn reason(error: &regex::Error) -> String {
    let said = error.to_string();
    let last = said.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_expression_is_compiled_once_while_it_is_in_use() {
        let first = anchored("only-here-4..").unwrap();
        assert!(Arc::ptr_eq(&first, &anchored("only-here-4..").unwrap()));
        drop(first);
        assert!(anchored("only-here-4..").unwrap().is_match(b"only-here-401"));
    }

    #[test]
    fn a_broken_expression_says_why_in_one_line() {
        assert_eq!(anchored("(").unwrap_err(), "`(` is not a regular expression: unclosed group");
    }
}
