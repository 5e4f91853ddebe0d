//! Texts from elsewhere that are shown on a terminal or in a CI log: nothing in them may act.

/// A text with the characters made visible that would move a cursor, change colours, start a new
/// line or turn the reading direction, and without `##`: CI systems take `##[` and `##vso[` for a
/// command wherever in a line they stand.
#[must_use]
pub fn harmless(text: &str) -> String {
    let visible: String = text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect();
    visible.replace("##", "#\u{fffd}")
}

/// A JSON text with the same characters escaped, so that it means the same; new lines between its
/// parts stay.
#[must_use]
pub fn harmless_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '#' if out.ends_with('#') => out.push_str("\\u0023"),
            c if acts(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character moves a cursor, changes colours, starts a new line or turns the reading
/// direction.
#[must_use]
pub fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}');
    let nests = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || nests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        assert_eq!(harmless("a\u{1b}[31mb\nc\u{9b}d\u{202e}e"), "a�[31mb�c�d�e");
        assert_eq!(harmless("112 %, é, 漢"), "112 %, é, 漢");
        assert_eq!(harmless("a ##[error]b ###vso[c #1"), "a #�[error]b #�#vso[c #1");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let json = "{\n \"a\": \"x\u{9b}\u{7f}\u{202e}##[b\"\n}";
        let safe = harmless_json(json);
        assert_eq!(safe, "{\n \"a\": \"x\\u009b\\u007f\\u202e#\\u0023[b\"\n}");
        let read = |t: &str| serde_json::from_str::<serde_json::Value>(t).unwrap();
        assert_eq!(read(&safe), read(json));
    }
}
