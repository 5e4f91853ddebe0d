//! Reads KQL; says what to write instead of what is not read.

use std::ops::Range;

use thiserror::Error;

use super::{Literal, Node, Order, Test};

mod reader;

use reader::{Pieces, Reader};

/// Parentheses and negations may be nested so deep; Elasticsearch takes little more.
const DEEPEST: usize = 20;

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Which part of the text is meant, in bytes.
    pub span: Range<usize>,
}

type Read<T> = Result<T, FilterError>;

fn error<T>(span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> Read<T> {
    Err(FilterError { message: message.into(), remedy: remedy.into(), span })
}

pub(super) fn query(text: &str) -> Read<Node> {
    let mut reader = Reader::new(text);
    let node = any_of(&mut reader, None)?;
    reader.end()?;
    Ok(node)
}

/// Conditions with `or` between them; within `field : (...)` values of the field.
fn any_of(reader: &mut Reader<'_>, field: Option<&str>) -> Read<Node> {
    let mut parts = vec![all_of(reader, field)?];
    while reader.take_keyword("or") {
        parts.push(all_of(reader, field)?);
    }
    Ok(joined(parts, Node::Or))
}

fn all_of(reader: &mut Reader<'_>, field: Option<&str>) -> Read<Node> {
    let mut parts = vec![one(reader, field)?];
    while reader.take_keyword("and") {
        parts.push(one(reader, field)?);
    }
    Ok(joined(parts, Node::And))
}

fn joined(mut parts: Vec<Node>, join: impl Fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => join(parts.into_iter().chain(last).collect()),
    }
}

fn one(reader: &mut Reader<'_>, field: Option<&str>) -> Read<Node> {
    reader.space();
    let start = reader.at;
    if reader.take_keyword("not") {
        let node = nested(reader, start, |reader| one(reader, field))?;
        return Ok(Node::Not(Box::new(node)));
    }
    if reader.take("(") {
        return group(reader, start, field);
    }
    match field {
        Some(field) => value(reader, field),
        None => condition(reader),
    }
}

/// What follows an opening parenthesis.
fn group(reader: &mut Reader<'_>, start: usize, field: Option<&str>) -> Read<Node> {
    let node = nested(reader, start, |reader| any_of(reader, field))?;
    reader.close(start)?;
    Ok(node)
}

fn nested(
    reader: &mut Reader<'_>,
    start: usize,
    read: impl FnOnce(&mut Reader<'_>) -> Read<Node>,
) -> Read<Node> {
    if reader.depth == DEEPEST {
        let message = format!("this query is nested in more than {DEEPEST} levels");
        return error(start..reader.at, message, "write it flatter");
    }
    reader.depth += 1;
    let node = read(reader);
    reader.depth -= 1;
    node
}

fn condition(reader: &mut Reader<'_>) -> Read<Node> {
    const ORDERS: [(&str, Order); 4] =
        [(">=", Order::AtLeast), ("<=", Order::AtMost), (">", Order::Above), ("<", Order::Below)];
    let start = reader.at;
    let field = field(reader)?;
    if reader.take(":") {
        reader.space();
        let open = reader.at;
        return match reader.take("(") {
            true => group(reader, open, Some(&field)),
            false => value(reader, &field),
        };
    }
    match ORDERS.into_iter().find(|(sign, _)| reader.take(sign)) {
        Some((_, order)) => compared(reader, field, order),
        None => Err(reader.no_condition(start, &field)),
    }
}

/// A field's name and what stands before the sign behind it.
fn field(reader: &mut Reader<'_>) -> Read<String> {
    let start = reader.at;
    let name = match reader.quoted()? {
        Some(name) => Pieces::from(name),
        None => reader.word("a condition", "write one such as http.response.status_code >= 500")?,
    };
    let span = start..reader.at;
    reader.space();
    match name.whole() {
        Some(name) => Ok(name),
        None if reader.rest().starts_with([':', '<', '>']) => {
            let message = "a field's name with a wildcard may mean other fields tomorrow";
            error(span, message, "name each field, with `or` between the conditions")
        }
        None => {
            let message = "a term without a field is not read";
            let remedy = "write `field : value`; `@timestamp : *` finds every document";
            error(span, message, remedy)
        }
    }
}

fn value(reader: &mut Reader<'_>, field: &str) -> Read<Node> {
    reader.space();
    let test = match reader.quoted()? {
        Some(text) => Test::Is(Literal::new(text)),
        None => reader.words(field)?.test(),
    };
    Ok(Node::Field(field.to_owned(), test))
}

fn compared(reader: &mut Reader<'_>, field: String, order: Order) -> Read<Node> {
    reader.space();
    let start = reader.at;
    let text = match reader.quoted()? {
        Some(text) => text,
        None => match reader.words(&field)?.whole() {
            Some(text) => text,
            None => {
                let message = "a comparison is made with one value, not with a wildcard";
                let remedy = format!("write a number, or {field} : with the wildcard");
                return error(start..reader.at, message, remedy);
            }
        },
    };
    Ok(Node::Field(field, Test::Compare(order, Literal::new(text))))
}
