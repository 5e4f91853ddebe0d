//! What holds for all queries and documents.

use super::*;

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn unquoted(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect()
}

fn test(test: &Test) -> String {
    match test {
        Test::Exists => ": *".to_owned(),
        Test::Is(value) => format!(": {}", quoted(value.text())),
        Test::Like(pieces) => {
            format!(": {}", pieces.iter().map(|p| unquoted(p)).collect::<Vec<_>>().join("*"))
        }
        Test::Compare(order, value) => {
            let sign = match order {
                Order::Above => ">",
                Order::AtLeast => ">=",
                Order::Below => "<",
                Order::AtMost => "<=",
            };
            format!("{sign} {}", quoted(value.text()))
        }
    }
}

/// A query that means this.
fn print(node: &Node) -> String {
    let all = |nodes: &[Node], word: &str| {
        let parts: Vec<_> = nodes.iter().map(|n| format!("({})", print(n))).collect();
        parts.join(word)
    };
    match node {
        Node::And(nodes) => all(nodes, " and "),
        Node::Or(nodes) => all(nodes, "OR"),
        Node::Not(node) => format!("not({})", print(node)),
        Node::Field(name, of) => format!("{}{}", quoted(name), test(of)),
    }
}

/// Few different values, so that conditions and documents meet.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ab15]{0,2}", "[0-9]{1,3}(\\.5)?", "true|false", "[\\PC\\n\\t\"\\\\*]{0,4}"]
        .prop_filter("one code unit each", |t| t.chars().all(|c| (c as u32) < 0x1_0000))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[ab](\\.[ab]){0,2}", 1 => "[\\PC \"\\\\]{1,4}"]
}

fn condition() -> impl Strategy<Value = Test> {
    let order = prop_oneof![
        Just(Order::Above),
        Just(Order::AtLeast),
        Just(Order::Below),
        Just(Order::AtMost)
    ];
    let pieces = (text(), prop::collection::vec("[ab1]{1,2}", 0..2), text());
    prop_oneof![
        Just(Test::Exists),
        text().prop_map(|t| Test::Is(Literal::new(t))),
        (order, text()).prop_map(|(order, t)| Test::Compare(order, Literal::new(t))),
        pieces.prop_filter_map("not everything", |(first, middle, last)| {
            let pieces: Vec<_> = [first].into_iter().chain(middle).chain([last]).collect();
            pieces.iter().any(|p| !p.is_empty()).then_some(Test::Like(pieces))
        }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = (name(), condition()).prop_map(|(name, test)| Node::Field(name, test));
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Node::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Node::Or),
            inner.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

fn document() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..200_i64).prop_map(Value::from),
        (0..20_u8).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        text().prop_map(Value::from),
    ];
    let value = scalar.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[ab](\\.[ab])?", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::hash_map("[ab](\\.[ab])?", value, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn a_printed_query_means_the_same(node in node()) {
        let printed = print(&node);
        let read = parsed(&printed);
        prop_assert_eq!(read.root(), &node, "{}", printed);
    }

    #[test]
    fn de_morgan_holds(a in node(), b in node(), document in document()) {
        let (a, b) = (print(&a), print(&b));
        let found = |query: String| parsed(&query).matches(&document);
        prop_assert_eq!(
            found(format!("not (({a}) and ({b}))")), found(format!("not ({a}) or not ({b})"))
        );
        prop_assert_eq!(
            found(format!("not (({a}) or ({b}))")), found(format!("not ({a}) and not ({b})"))
        );
        prop_assert_eq!(found(format!("not not ({a})")), found(a));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\PC|\\s|and|or|not |[\\\\:()<>*\"{}=!u]){0,24}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
            prop_assert!(!error.message.is_empty() && !error.remedy.is_empty());
        }
    }
}
