//! Which files a query is about: patterns of indices, compared with files' names.

use glob::Pattern;

/// Patterns over the names of files, with or without their endings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index(Vec<Pattern>);

impl Index {
    /// Reads patterns with commas between them.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = |part: &str| {
            Pattern::new(part.trim())
                .map_err(|e| format!("the index `{text}` is no pattern: {}; use * and ?", e.msg))
        };
        text.split(',').map(pattern).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a file of this name belongs to it: the name as it is, or without some or all of what
    /// rotation and the kind of file put behind it, such as `.json.1.gz`.
    pub(super) fn holds(&self, name: &str) -> bool {
        let mut name = name;
        loop {
            if self.0.iter().any(|pattern| pattern.matches(name)) {
                return true;
            }
            let Some((rest, last)) = name.rsplit_once(['.', '-']) else { return false };
            let is_ending = matches!(last, "gz" | "log" | "json" | "ndjson");
            if !is_ending && !last.bytes().all(|b| b.is_ascii_digit()) {
                return false;
            }
            name = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_a_pattern_over_the_name_with_or_without_its_endings() {
        for (index, name) in [
            ("orders", "orders"),
            ("orders", "orders.log"),
            ("orders", "orders.json.1.gz"),
            ("orders", "orders.json-20261121.gz"),
            ("orders", "orders-2026-11-21.log"),
            ("orders.json", "orders.json.3"),
            ("logs-orders-*", "logs-orders-2026.11.21.json"),
            ("logs-*,shop", "shop.log"),
            ("*", "a"),
        ] {
            assert!(Index::parse(index).unwrap().holds(name), "{index} {name}");
        }
        for (index, name) in
            [("orders", "orders-eu.log"), ("orders", "orders.txt"), ("order", "orders"), ("", "a")]
        {
            assert!(!Index::parse(index).unwrap().holds(name), "{index} {name}");
        }
        assert!(Index::parse("a[").unwrap_err().contains("the index `a[` is no pattern"));
    }
}
