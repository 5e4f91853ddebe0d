//! The offending line with a caret under the fault. Knows columns and widths, nothing of YAML.

/// Lines longer than this are cut around the fault.
const WIDTH: usize = 100;

/// `12 |     objectve: 99.9%` with `^^^^^^^^` below; columns count characters from 1.
pub(super) fn excerpt(line: &str, number: usize, column: usize, length: usize) -> String {
    let chars: Vec<char> = line.trim_end_matches(['\n', '\r']).chars().map(printable).collect();
    let fault = column.saturating_sub(1).min(chars.len());
    let start = if chars.len() > WIDTH { fault.saturating_sub(WIDTH / 2) } else { 0 };
    let end = chars.len().min(start + WIDTH);
    let carets = length.clamp(1, (end - fault).max(1));
    let shown: String = chars[start..end].iter().collect();
    let margin = " ".repeat(number.to_string().len());
    let (before, under) = (" ".repeat(fault - start), "^".repeat(carets));
    format!("{number} | {}\n{margin} | {before}{under}", shown.trim_end())
}

/// Tabs become one space, so that the caret stays below; what could steer a terminal is shown as
/// the replacement character.
pub(super) fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() || "\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".contains(c) => {
            char::REPLACEMENT_CHARACTER
        }
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_fault() {
        assert_eq!(excerpt("  bc: 2\r\n", 12, 3, 2), "12 |   bc: 2\n   |   ^^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_fault() {
        let text = format!("{}FAULT{}", "x".repeat(5_000), "y".repeat(5_000));
        let shown = excerpt(&text, 1, 5_001, 5);
        assert!(shown.len() < 300 && shown.contains("FAULT"), "{shown}");
        let column = shown.lines().next().unwrap().find("FAULT");
        assert_eq!(column, shown.lines().nth(1).unwrap().find("^^^^^"));
    }

    #[test]
    fn places_outside_of_the_text_and_terminal_codes_do_no_harm() {
        assert_eq!(excerpt("", 9, 9, 9), "9 | \n  | ^");
        assert_eq!(excerpt("a", 1, 99, 99), "1 | a\n  |  ^");
        assert!(!excerpt("\u{1b}[2J", 1, 1, 1).contains('\u{1b}'));
    }
}
