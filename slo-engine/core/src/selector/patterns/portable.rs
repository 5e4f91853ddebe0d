//! What our regular expressions know and those of Prometheus (Go's) do not, or read as something else. A
//! query that Prometheus refuses would be refused for everybody who shares it.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassSetBinaryOp, ClassSetItem, ClassUnicode, ClassUnicodeKind, Flag,
    Flags, FlagsItemKind, GroupKind, HexLiteralKind, Literal, LiteralKind, Repetition,
    RepetitionKind, RepetitionRange, Visitor, visit,
};

/// Go repeats no expression more often, counting those within one another.
const MOST: u32 = 1_000;

/// Says what Prometheus would not read.
///
/// # Errors
/// What, and what to write in its place.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    // What cannot be parsed was refused before.
    Parser::new().parse(pattern).map_or(Ok(()), |ast| visit(&ast, Check::default()))
}

#[derive(Default)]
struct Check {
    /// The repetitions around the place that is looked at.
    repeats: Vec<u32>,
}

impl Visitor for Check {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Literal(literal) => character(literal),
            Ast::ClassUnicode(class) => property(class),
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
                | AssertionKind::EndText
                | AssertionKind::WordBoundary
                | AssertionKind::NotWordBoundary => Ok(()),
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
}
