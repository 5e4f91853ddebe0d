//! Where the documents of a file begin and end. Exact, because YAML allows `---` and `...` at the
//! start of a line in no other place, not even inside of a text.

/// One document's share of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// First byte.
    pub(super) from: usize,
    /// The byte after the last.
    pub(super) to: usize,
    /// Its first line in the file, from 1.
    pub(super) first_line: usize,
}

/// The parts of a text that hold more than comments.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = Part { from: 0, to: 0, first_line: 1 };
    // Whether the part holds more than comments, is past its `...`, has its `---`.
    let (mut filled, mut ended, mut opened) = (false, false, false);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let opens = marks(line, "---");
        if opens && (filled || ended || opened) || ended && is_content(line) {
            parts.extend(filled.then_some(part));
            part = Part { from: part.to, to: part.to, first_line: number + 1 };
            (filled, ended, opened) = (false, false, false);
        }
        opened |= opens;
        ended |= marks(line, "...");
        filled |= is_content(line);
        part.to += line.len();
    }
    parts.extend(filled.then_some(part));
    parts
}

/// Whether a line holds a part of a document, rather than a comment, a directive or a mark.
pub(super) fn is_content(line: &str) -> bool {
    let rest = if marks(line, "---") { &line[3..] } else { line };
    let rest = rest.trim();
    !(rest.is_empty() || rest.starts_with('#') || line.starts_with('%') || marks(line, "..."))
}

fn marks(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, &str)> {
        parts(text).iter().map(|p| (p.first_line, &text[p.from..p.to])).collect()
    }

    #[test]
    fn documents_keep_their_first_line() {
        assert_eq!(texts("a: 1\n---\nb: 2\n"), [(1, "a: 1\n"), (2, "---\nb: 2\n")]);
        assert_eq!(
            texts("# x\n---\na: 1\n...\n# y\nb: 2"),
            [(1, "# x\n---\na: 1\n...\n# y\n"), (6, "b: 2")]
        );
        assert_eq!(texts("--- {a: 1}\n--- {b: 2}\n").len(), 2);
    }

    #[test]
    fn empty_documents_comments_and_directives_alone_are_none() {
        for text in ["", "\n\n", "---\n", "---\n---\n...\n", "# only\n", "%YAML 1.2\n---\n"] {
            assert_eq!(texts(text), [], "{text:?}");
        }
        assert_eq!(texts("%YAML 1.2\n---\na: 1\n---\n").len(), 1);
        assert_eq!(texts("---\n---\na: 1\n"), [(2, "---\na: 1\n")]);
    }

    #[test]
    fn three_dashes_inside_of_a_line_or_word_part_nothing() {
        assert_eq!(texts("a: ---\n---b: 1\n --- c\n").len(), 1);
    }
}
