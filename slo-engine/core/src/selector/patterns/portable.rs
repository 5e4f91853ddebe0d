//! What our regular expressions know and those of Prometheus (Go's) do not, or read as something else. A
//! query that Prometheus refuses would be refused for everybody who shares it.

use std::ops::Range;

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, ClassUnicode,
    ClassUnicodeKind, Flag, Flags, FlagsItemKind, GroupKind, HexLiteralKind, Literal, LiteralKind,
    Repetition, RepetitionKind, RepetitionRange, Span, Visitor, visit,
};

/// Go repeats no expression more often, counting those within one another.
const MOST: u32 = 1_000;

/// The expression as ours say what Prometheus understands by it: its digits, words and spaces are those of
/// ASCII.
///
/// # Errors
/// What Prometheus would not read, and what to write in its place.
pub(super) fn read(pattern: &str) -> Result<String, String> {
    // What cannot be parsed was refused before.
    let Ok(ast) = Parser::new().parse(pattern) else { return Ok(pattern.to_owned()) };
    let (mut read, mut done) = (String::with_capacity(pattern.len()), 0);
    for (place, meant) in visit(&ast, Reading::default())? {
        read.push_str(&pattern[done..place.start]);
        read.push_str(meant);
        done = place.end;
    }
    read.push_str(&pattern[done..]);
    Ok(read)
}

#[derive(Default)]
struct Reading {
    /// The repetitions around the place that is looked at.
    repeats: Vec<u32>,
    /// What ours would understand otherwise, in order, and how it is written for them.
    meant: Vec<(Range<usize>, &'static str)>,
}

impl Reading {
    fn class(&mut self, class: &ClassPerl) {
        let meant = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\f\r ]",
            (ClassPerlKind::Space, true) => r"[^\t\n\f\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.means(class.span, meant);
    }

    fn means(&mut self, place: Span, meant: &'static str) {
        self.meant.push((place.start.offset..place.end.offset, meant));
    }
}

impl Visitor for Reading {
    type Output = Vec<(Range<usize>, &'static str)>;
    type Err = String;

    fn finish(self) -> Result<Self::Output, String> {
        Ok(self.meant)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Literal(literal) => character(literal),
            Ast::ClassUnicode(class) => property(class),
            Ast::ClassPerl(class) => {
                self.class(class);
                Ok(())
            }
            Ast::Flags(set) => flags(&set.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(set) => flags(set),
                GroupKind::CaptureName { starts_with_p: false, .. } => {
                    Err("write (?P<name>...) in the place of (?<name>...)".to_owned())
                }
                _ => Ok(()),
            },
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText => Ok(()),
                AssertionKind::WordBoundary => {
                    self.means(assertion.span, r"(?-u:\b)");
                    Ok(())
                }
                AssertionKind::NotWordBoundary => {
                    self.means(assertion.span, r"(?-u:\B)");
                    Ok(())
                }
                _ => Err("it knows no beginnings and ends of words; write \\b".to_owned()),
            },
            Ast::Repetition(repetition) => {
                self.repeats.push(times(repetition));
                let all = self.repeats.iter().fold(1, |all: u32, one| all.saturating_mul(*one));
                match all <= MOST {
                    true => Ok(()),
                    false => Err(format!("it repeats nothing more than {MOST} times")),
                }
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), String> {
        if matches!(ast, Ast::Repetition(_)) {
            self.repeats.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Literal(literal) => character(literal),
            ClassSetItem::Range(range) => character(&range.start).and(character(&range.end)),
            ClassSetItem::Unicode(class) => property(class),
            ClassSetItem::Perl(class) => {
                self.class(class);
                Ok(())
            }
            ClassSetItem::Bracketed(_) => {
                Err("it knows no brackets within brackets; write \\[ for the sign".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ClassSetBinaryOp) -> Result<(), String> {
        Err("it does not know &&, -- and ~~ within brackets; write the characters out".to_owned())
    }
}

/// How often at least something counts as repeated; without a number once.
fn times(repetition: &Repetition) -> u32 {
    match &repetition.op.kind {
        RepetitionKind::Range(
            RepetitionRange::Exactly(most)
            | RepetitionRange::AtLeast(most)
            | RepetitionRange::Bounded(_, most),
        ) => (*most).max(1),
        _ => 1,
    }
}

fn character(literal: &Literal) -> Result<(), String> {
    match &literal.kind {
        LiteralKind::HexFixed(kind) | LiteralKind::HexBrace(kind) if *kind != HexLiteralKind::X => {
            Err("it does not know \\u and \\U; write \\x{...}".to_owned())
        }
        _ => Ok(()),
    }
}

fn property(class: &ClassUnicode) -> Result<(), String> {
    match class.kind {
        ClassUnicodeKind::NamedValue { .. } => {
            Err("it knows properties by one name alone; write \\p{Greek}".to_owned())
        }
        _ => Ok(()),
    }
}

fn flags(set: &Flags) -> Result<(), String> {
    let is_known = |kind: &FlagsItemKind| {
        !matches!(kind, FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace))
    };
    match set.items.iter().all(|item| is_known(&item.kind)) {
        true => Ok(()),
        false => Err("of flags it knows i, m, s and U".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::anchored;

    #[test]
    fn what_prometheus_would_refuse_or_read_otherwise_is_refused_with_what_to_write() {
        for (pattern, said) in [
            ("a{1001}", "repeats nothing more than 1000 times"),
            ("(a{100}){11}", "repeats nothing more than 1000 times"),
            ("[a-z&&o-r]", "&&, -- and ~~"),
            ("[a[b]]", "brackets within brackets"),
            (r"\u0061", r"write \x{...}"),
            (r"[\u{61}-z]", r"write \x{...}"),
            ("(?x)a b", "of flags it knows i, m, s and U"),
            ("(?x: a)", "of flags it knows"),
            ("(?<code>5..)", "(?P<name>...)"),
            (r"\<a", r"write \b"),
            (r"\b{start}a", r"write \b"),
            (r"\p{Script=Greek}", r"\p{Greek}"),
        ] {
            let error = anchored(pattern).unwrap_err();
            assert!(
                error.contains("of Prometheus: ") && error.contains(said),
                "{pattern}: {error}"
            );
        }
    }

    #[test]
    fn what_both_know_is_taken() {
        for pattern in [
            "5..",
            "a|b|",
            "(?i)orders",
            "(?P<code>5..)",
            "(?i:a)b",
            r"\d{3}\.[a-z_]{0,1000}",
            "(a{10}){100}",
            "(a{5}b){5}|a{900}",
            r"[\[\]&-]+",
            r"\x41\x{1F600}",
            r"\p{Greek}\pL",
            r"^a\b.*\Bz$",
            "[[:alpha:]]+",
        ] {
            assert!(anchored(pattern).is_ok(), "{pattern}: {:?}", anchored(pattern));
        }
    }

    #[test]
    fn digits_words_and_spaces_are_those_of_ascii() {
        for (pattern, value, is_match) in [
            (r"\d00", "500", true),
            (r"\d00", "٥00", false),
            (r"\D00", "٥00", true),
            (r"[^\d]00", "٥00", true),
            (r"[\d.]+", "1.5", true),
            (r"[\D5]+", "٥5x", true),
            (r"\w+", "Abc_9", true),
            (r"\w+", "größe", false),
            (r"gr\W\We", "größe", true),
            (r"a\sb", "a\tb", true),
            (r"a\sb", "a\u{a0}b", false),
            (r"a\sb", "a\u{b}b", false),
            (r"a\Sb", "a\u{b}b", true),
            (r"gr\b.*", "größe", true),
            (r"gr\B.*", "größe", false),
            (r"gr.\B.e", "größe", true),
            (r"(?i)\w", "\u{212a}", true),
        ] {
            let regex = anchored(pattern).unwrap();
            assert_eq!(regex.is_match(value.as_bytes()), is_match, "{pattern} {value}");
        }
    }
}
