//! The two interpreters of a filter agree: a node that is asked in the query DSL, and the filter itself.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use slo_core::filter::Filter;
use slo_core::time::Minute;

use crate::support::node::Node;
use crate::support::{START, client, query, stamp};

/// Documents, each in a minute of its own.
const DOCUMENTS: usize = 300;
/// Queries that are asked at once; with the heartbeat, all their buckets fit into one request.
const TOGETHER: usize = 30;

/// Texts that are awkward somewhere on the way, and short ones that meet each other.
fn text() -> impl Strategy<Value = String> {
    let awkward = [
        "",
        " ",
        "a b",
        "a  b",
        "A",
        "500",
        "5.0",
        "true",
        "and",
        "or not",
        "x:y",
        "(z)",
        "q\"uote",
        "back\\slash",
        "st*ar",
        "wh?t",
        "é-ü",
        "\u{1f600}",
        "tab\there",
        "<=",
        "{}",
        "\\n",
        "/r.x/",
    ];
    let awkward = awkward.map(str::to_owned).to_vec();
    prop_oneof![2 => prop::sample::select(awkward), 3 => "[abA*?\\\\]{0,3}"]
}

fn long() -> impl Strategy<Value = i64> {
    prop_oneof![5 => -3_i64..6, 1 => any::<i64>()]
}

fn double() -> impl Strategy<Value = f64> {
    // Not -0.0: the servers keep it apart from 0, as no number in a log is.
    let few = vec![-2.5, 0.0, 0.1, 0.30000000000000004, 1.0, 2.0, 2.5, 1e300, -1e300, 5e-324];
    prop_oneof![5 => prop::sample::select(few), 1 => -3.0..6.0_f64]
}

/// A field: absent, null, one value, or an array of any, with nulls between.
fn field(value: impl Strategy<Value = Value> + Clone + 'static) -> BoxedStrategy<Option<Value>> {
    let element = prop_oneof![4 => value.clone(), 1 => Just(Value::Null)];
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Value::Null)),
        4 => value.prop_map(Some),
        2 => prop::collection::vec(element, 0..4).prop_map(|all| Some(all.into())),
    ]
    .boxed()
}

fn document() -> impl Strategy<Value = Map<String, Value>> {
    let fields = [
        ("keyword", field(text().prop_map(Value::from).boxed())),
        ("long", field(long().prop_map(Value::from).boxed())),
        ("double", field(double().prop_map(Value::from).boxed())),
        ("boolean", field(any::<bool>().prop_map(Value::from).boxed())),
        ("deep.keyword", field(text().prop_map(Value::from).boxed())),
    ];
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values.prop_map(move |values| {
        let known = names.iter().zip(values).filter_map(|(name, value)| Some((name, value?)));
        known.map(|(name, value)| ((*name).to_owned(), value)).collect()
    })
}

/// A text as a phrase, or as a word with its signs escaped where that is possible.
fn written(text: &str, is_phrase: bool) -> String {
    let is_word = !text.is_empty()
        && !text.contains(char::is_whitespace)
        && !["and", "or", "not"].contains(&text.to_ascii_lowercase().as_str());
    match is_word && !is_phrase {
        true => escaped(text),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn escaped(text: &str) -> String {
    let sign = |c: char| "\\():<>\"*{}".contains(c).then_some('\\');
    text.chars().flat_map(|c| sign(c).into_iter().chain([c])).collect()
}

/// A number as people write it, for a field that it fits: a whole field refuses what no document of it can hold.
fn number() -> impl Strategy<Value = (&'static str, String)> {
    let fields = || prop::sample::select(vec!["long", "double", "absent"]);
    let odd = prop::sample::select(vec!["1e0", "2.50", "+1", "3.0", ".5", "-1.5"]);
    prop_oneof![
        (fields(), long()).prop_map(|(field, n)| (field, n.to_string())),
        (fields(), odd).prop_map(|(field, n)| (field, n.to_owned())),
        double().prop_map(|n| ("double", n.to_string())),
    ]
}

fn order() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["<", "<=", ">", ">="])
}

fn condition() -> impl Strategy<Value = String> {
    let texts = || prop::sample::select(vec!["keyword", "deep.keyword", "absent"]);
    let fields = vec!["keyword", "long", "double", "boolean", "deep", "deep.keyword", "absent"];
    let pieces = prop::collection::vec("[abA?\\\\:]{0,2}", 2..4);
    prop_oneof![
        3 => (texts(), text(), any::<bool>())
            .prop_map(|(field, text, phrase)| format!("{field} : {}", written(&text, phrase))),
        3 => (texts(), pieces).prop_map(|(field, pieces)| {
            format!("{field} : {}", pieces.iter().map(|p| escaped(p)).collect::<Vec<_>>().join("*"))
        }),
        2 => (texts(), order(), text())
            .prop_map(|(field, order, text)| format!("{field} {order} {}", written(&text, true))),
        2 => number().prop_map(|(field, number)| format!("{field} : {number}")),
        3 => (number(), order())
            .prop_map(|((field, number), order)| format!("{field} {order} {number}")),
        1 => any::<bool>().prop_map(|truth| format!("boolean : {truth}")),
        1 => prop::sample::select(fields).prop_map(|field| format!("{field} : *")),
    ]
}

fn kql() -> impl Strategy<Value = String> {
    condition().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|all| format!("({})", all.join(" and "))),
            prop::collection::vec(inner, 2..4).prop_map(|any| format!("({})", any.join(" or "))),
        ]
    })
}

fn mapping() -> Value {
    json!({ "mappings": { "dynamic": "strict", "properties": {
        "@timestamp": { "type": "date" },
        "keyword": { "type": "keyword" },
        "long": { "type": "long" },
        "double": { "type": "double" },
        "boolean": { "type": "boolean" },
        "deep": { "properties": { "keyword": { "type": "keyword" } } }
    }}})
}

pub(crate) async fn a_node_finds_the_documents_that_the_filter_itself_finds(node: &Node) {
    let config =
        Config { cases: 25, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let documents = prop::collection::vec(document(), DOCUMENTS).new_tree(&mut runner).unwrap();
    let documents: Vec<Value> = documents.current().into_iter().map(Value::from).collect();
    node.index("kql", &mapping()).await;
    let written = documents.iter().enumerate().map(|(number, document)| {
        let mut document = document.clone();
        document["@timestamp"] = json!(stamp(number as i64, 0));
        ("kql".to_owned(), Value::Null, document)
    });
    node.write(&written.collect::<Vec<_>>()).await;
    let url = node.url.clone();
    let asked = move || {
        runner
            .run(&prop::collection::vec(kql(), 1..TOGETHER), |texts| ask(&url, &texts, &documents))
    };
    // A property cannot wait, so it has a thread and a runtime of its own.
    std::thread::spawn(asked).join().unwrap().unwrap_or_else(|e| panic!("{e}"));
}

/// Asks a node and the filters themselves.
fn ask(url: &str, texts: &[String], documents: &[Value]) -> Result<(), TestCaseError> {
    let filters: Vec<Filter> = texts
        .iter()
        .map(|text| Filter::parse(text).map_err(|e| TestCaseError::fail(format!("{text}: {e}"))))
        .collect::<Result<_, _>>()?;
    let queries: Vec<_> = filters.iter().map(|filter| query("kql", filter.dsl())).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let to = START + documents.len() as i64;
    let counted = runtime.block_on(client(url).count(&queries, START, to)).unwrap();
    for (filter, found) in filters.iter().zip(counted.queries) {
        let found = found.map_err(|fault| TestCaseError::fail(format!("{filter}: {fault}")))?;
        let numbered = (0..).zip(documents).filter(|(_, document)| filter.matches(document));
        let expected: Vec<(Minute, u64)> = numbered.map(|(n, _)| (START + n, 1)).collect();
        if found.minutes != expected {
            let only = |a: &[(Minute, u64)], b: &[(Minute, u64)]| {
                let odd = a.iter().find(|minute| !b.contains(minute));
                odd.map(|(minute, _)| documents[(*minute - START) as usize].to_string())
            };
            let (node, own) = (only(&found.minutes, &expected), only(&expected, &found.minutes));
            let dsl = filter.dsl();
            let said =
                format!("{filter}\n{dsl}\nthe node alone: {node:?}\nthe filter alone: {own:?}");
            return Err(TestCaseError::fail(said));
        }
    }
    Ok(())
}
