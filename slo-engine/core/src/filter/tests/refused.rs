//! What is not read: the place, a part of the message and of the remedy.

use super::*;

#[test]
fn what_is_not_read_is_refused_with_its_place_a_reason_and_a_remedy() {
    for (text, span, message, remedy) in REFUSED {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(&text[error.span.clone()], *span, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.remedy.contains(remedy), "{text}: {}", error.remedy);
    }
}

/// A text, the part that is marked, a part of the message and of the remedy.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("", "", "the query ends where a condition is expected", "http.response.status_code >= 500"),
    ("error", "error", "a term without a field", "`field : error`"),
    ("a : b and some words", "some", "a term without a field", "`field : some`"),
    ("\"a phrase\"", "\"a phrase\"", "a term without a field", "`field : \"a phrase\"`"),
    ("*", "*", "a term without a field", "`@timestamp : *`"),
    ("a* : b", "a*", "may mean other fields tomorrow", "name each field"),
    ("http.*>5", "http.*", "may mean other fields tomorrow", "name each field"),
    ("a : { b : c }", "{", "nested documents", "items.name : value"),
    ("a = 5", "=", "KQL has no `=`", "`a : value`"),
    ("a == 5", "==", "KQL has no `==`", "`a : value`"),
    ("a != 5", "!=", "KQL has no `!=`", "`not a : value`"),
    ("a :", "", "the query ends where a value is expected", "a : \"text\""),
    ("a : and", "and", "`and` stands where a value is expected", "in quotes"),
    ("and : a", "and", "`and` stands where a condition is expected", "in quotes"),
    ("a : b or", "", "the query ends where a condition", "http."),
    ("a : not", "not", "`not` stands where a value", "in quotes"),
    ("a : b or or c : d", "or", "`or` stands where a condition", "in quotes"),
    (": b", ":", "`:` stands where a condition", "in quotes"),
    ("a : : b", ":", "`:` stands where a value", "in quotes"),
    ("a :> 5", ">", "`>` stands where a value", "in quotes"),
    ("at : 10:30", ":", "`:` stands where `and` or `or`", "in quotes"),
    ("a : b c : d", ":", "`:` stands where `and` or `or`", "between two conditions"),
    ("a : \"b\" c : d", "c", "`c` stands where `and` or `or`", "between two conditions"),
    ("(a : b) c : d", "c", "`c` stands where `and` or `or`", "between two conditions"),
    ("a : b)", ")", "closes nothing", "remove it"),
    ("(a : b", "(", "this parenthesis is not closed", "add `)`"),
    ("a : (b or c", "(", "this parenthesis is not closed", "add `)`"),
    ("a : (b c : d)", ":", "`:` stands where `and` or `or`", "between"),
    ("a : ()", ")", "`)` stands where a value", "in quotes"),
    ("a : \"b", "\"", "this quote is not closed", "add `\"`"),
    ("a > 5*", "5*", "made with one value", "a : with the wildcard"),
    ("a > *", "*", "made with one value", "a : with the wildcard"),
    ("a > (5)", "(", "`(` stands where a value", "in quotes"),
    (r"a : b\d", "\\", "a backslash stands before", "`\\\\`"),
    (r"a : b\", "\\", "a backslash stands before", "`\\\\`"),
    (r"a : \u00g0", "\\u", "names no character", "\\u0020"),
    (r#"a : "\ud800""#, "\\u", "names no character", "\\u0020"),
    ("a : é:", ":", "`:` stands where `and` or `or`", "in quotes"),
];

#[test]
fn ten_thousand_parentheses_are_refused_and_twenty_are_read() {
    let deep = |open: &str, n: usize, close: &str| {
        Filter::parse(&format!("{}a : b{}", open.repeat(n), close.repeat(n)))
    };
    for (open, close) in [("(", ")"), ("not ", ""), ("not (", ")")] {
        assert!(deep(open, 10_000, close).unwrap_err().message.contains("more than 20 levels"));
    }
    assert!(deep("(", 20, ")").is_ok() && deep("(", 21, ")").is_err());
    let values = format!("a : {}b{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Filter::parse(&values).is_err());
    let wide = vec!["a : b"; 10_000].join(" or ");
    assert!(parsed(&wide).matches(&json!({"a": "b"})));
}
