//! Filters over log documents: KQL, the query language of Kibana, as one small tree.
//!
//! The tree has two interpreters: [`Filter::dsl`] is the same question in Elasticsearch's query DSL, and
//! [`Filter::matches`] answers it for one JSON document. They agree on fields of type keyword, boolean,
//! long and double: a text is compared exactly and by case, a number by its value. The document alone
//! tells which of the two a value is, so `500` finds the number 500 and the text "500", and `>=`
//! orders texts by their bytes. On a field of type text Elasticsearch looks for the words of the value
//! in a row, without case. Where it refuses a question (a wildcard on a number), the number as text is
//! compared.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

mod dsl;
mod local;
mod parse;

pub use local::Scalar;
pub use parse::FilterError;

/// A query in KQL: what it means, with the text that it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: Arc<str>,
    root: Arc<Node>,
}

/// A part of a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// All of these hold; two or more.
    And(Vec<Self>),
    /// At least one of these holds; two or more.
    Or(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A field has a value that passes the test.
    Field(String, Test),
}

/// What a value of a field is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// There is a value: `field : *`.
    Exists,
    /// It is this value.
    Is(Literal),
    /// It has these pieces in this order, the first one at its start and the last one at its end:
    /// `a*b` is `a` and `b`. Two or more, and not all of them empty.
    Like(Vec<String>),
    /// It is ordered so to this value.
    Compare(Order, Literal),
}

/// How a value is ordered to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// A value as written, and the number that it is for fields that hold numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    text: String,
    number: Option<Number>,
}

/// A number of a query or of a document.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole one.
    Whole(i128),
    /// Any other one.
    Real(f64),
}

impl Filter {
    /// Reads KQL.
    ///
    /// # Errors
    /// Where the text went wrong, why, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let root = parse::query(text)?;
        Ok(Self { text: text.into(), root: Arc::new(root) })
    }

    /// Documents that have a field.
    #[must_use]
    pub fn exists(field: &str) -> Self {
        Self::of(format!("{field} : *"), Node::Field(field.to_owned(), Test::Exists))
    }

    /// Documents with a number in a field that is at most this.
    #[must_use]
    pub fn at_most(field: &str, limit: f64) -> Self {
        let test = Test::Compare(Order::AtMost, Literal::new(limit.to_string()));
        Self::of(format!("{field} <= {limit}"), Node::Field(field.to_owned(), test))
    }

    /// Documents that both find.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let root = Node::And(vec![self.root().clone(), other.root().clone()]);
        Self::of(format!("{} and {}", self.beside(), other.beside()), root)
    }

    /// The query as it is written beside an `and`.
    pub(crate) fn beside(&self) -> String {
        match self.root() {
            Node::Or(_) => format!("({self})"),
            _ => self.to_string(),
        }
    }

    fn of(text: String, root: Node) -> Self {
        Self { text: text.into(), root: Arc::new(root) }
    }

    /// The query as written, for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The same question in Elasticsearch's query DSL.
    #[must_use]
    pub fn dsl(&self) -> Value {
        dsl::query(&self.root)
    }

    /// Whether a document is one that the query finds.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        self.root.holds(&mut |field, test| local::any(document, field, test))
    }
}

/// The query as written.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    /// Whether this holds, when `field` says which fields have a value that passes a test.
    pub fn holds(&self, field: &mut impl FnMut(&str, &Test) -> bool) -> bool {
        match self {
            Self::And(all) => all.iter().all(|node| node.holds(field)),
            Self::Or(any) => any.iter().any(|node| node.holds(field)),
            Self::Not(node) => !node.holds(field),
            Self::Field(name, test) => field(name, test),
        }
    }
}

impl Literal {
    /// A value.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { number: Number::parse(&text), text }
    }

    /// The value as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests;
