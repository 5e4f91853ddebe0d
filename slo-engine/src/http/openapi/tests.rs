use serde_json::{Value, json};

use crate::http::openapi;
use crate::http::world::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

#[test]
fn the_committed_document_is_the_one_that_the_handlers_give() {
    let made = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        committed == made,
        "docs/openapi.json is not current; run `slo-engine openapi > docs/openapi.json`"
    );
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves_and_every_schema_is_referred_to() {
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.iter().any(|r| r.ends_with(&format!("/{name}"))), "{name} is unused");
    }
}

#[test]
fn every_operation_says_what_it_does_and_has_a_name_of_its_own() {
    let document = openapi();
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            for key in ["summary", "operationId", "tags", "responses"] {
                assert!(!operation[key].is_null(), "{path} has no {key}");
            }
            names.push(operation["operationId"].to_string());
        }
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

/// Whether a value is what a schema says, as far as the schemas here go.
fn conforms(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).ok_or(reference)?;
        return conforms(document, schema, value, at);
    }
    for key in ["anyOf", "oneOf"] {
        let Some(choices) = schema[key].as_array() else { continue };
        let fits = choices.iter().any(|choice| conforms(document, choice, value, at).is_ok());
        return if fits { Ok(()) } else { Err(format!("{at}: {value} fits no {key}")) };
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return if allowed.contains(value) { Ok(()) } else { Err(format!("{at}: {value}")) };
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Err(format!("{at}: {value} is not {}", schema["const"]));
    }
    has_type(schema, value).map_err(|said| format!("{at}: {said}"))?;
    if let Some(fields) = value.as_object() {
        return object(document, schema, fields, at);
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            conforms(document, items, item, &format!("{at}[{index}]"))?;
        }
    }
    Ok(())
}

fn object(
    document: &Value,
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if !fields.contains_key(name) {
            return Err(format!("{at} has no {name}"));
        }
    }
    for (name, value) in fields {
        let place = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) => conforms(document, schema, value, &place)?,
            (None, Some(schema)) if schema.is_object() => {
                conforms(document, schema, value, &place)?;
            }
            _ => return Err(format!("{place} is not described")),
        }
    }
    Ok(())
}

fn has_type(schema: &Value, value: &Value) -> Result<(), String> {
    let is = |name: &Value| match name.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(several) => several.iter().any(is),
        one => is(one),
    };
    if fits { Ok(()) } else { Err(format!("{value} is not {}", schema["type"])) }
}

#[tokio::test]
async fn answers_are_what_the_document_says_of_their_status() {
    let (world, document) = (World::new().await, openapi());
    for (route, asked) in [
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/v1/services", "/v1/services"),
        ("/v1/services", "/v1/services?limit=0"),
        ("/v1/services/{service}", "/v1/services/orders?environment=production"),
        ("/v1/services/{service}", "/v1/services/nobody"),
        ("/v1/slos", "/v1/slos"),
        ("/v1/slos/{service}/{slo}", "/v1/slos/notifier/no-data"),
        ("/v1/slos/{service}/{slo}", "/v1/slos/orders/slices?environment=production"),
        ("/v1/slos/{service}/{slo}", "/v1/slos/orders/slices"),
        ("/v1/gate/{service}", "/v1/gate/orders?environment=production"),
        ("/v1/gate/{service}", "/v1/gate/nobody"),
        ("/v1/gate/{service}", "/v1/gate/orders"),
    ] {
        let answer = world.get(asked).await;
        let content =
            &document["paths"][route]["get"]["responses"][answer.status.to_string()]["content"];
        let schema = &content[answer.header("content-type")]["schema"];
        assert!(!schema.is_null(), "{route} does not describe {}", answer.status);
        assert_eq!(conforms(&document, schema, &answer.json(), asked), Ok(()));
    }
}

#[test]
fn a_value_that_is_not_as_described_is_seen() {
    let document = openapi();
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    assert!(conforms(&document, &schema, &json!({"title": 1}), "").is_err());
}
