//! The page of `/docs`, from the OpenAPI document.

use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value as Context};
use serde::Serialize;
use serde_json::Value;

use crate::http::problem::KINDS;

/// What the page shows.
#[derive(Debug, Serialize)]
struct Docs {
    title: String,
    version: String,
    description: String,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
    problems: Vec<Problem>,
}

/// Operations with one tag.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    description: String,
    operations: Vec<Operation>,
}

#[derive(Debug, Serialize)]
struct Operation {
    method: String,
    path: String,
    summary: String,
    description: String,
    parameters: Vec<Parameter>,
    responses: Vec<Answer>,
}

#[derive(Debug, Serialize)]
struct Parameter {
    name: String,
    place: String,
    required: bool,
    kind: Vec<Word>,
    description: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    status: String,
    description: String,
    contents: Vec<Content>,
}

#[derive(Debug, Serialize)]
struct Content {
    media: String,
    kind: Vec<Word>,
}

#[derive(Debug, Serialize)]
struct Schema {
    name: String,
    description: String,
    properties: Vec<Property>,
    /// For a schema without properties: its values with what they mean.
    values: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Property {
    name: String,
    kind: Vec<Word>,
    description: String,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    description: String,
}

/// A piece of a type's text; a schema's name is a link.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Word {
    text: String,
    is_schema: bool,
}

#[derive(Debug, Serialize)]
struct Problem {
    status: u16,
    anchor: &'static str,
    title: &'static str,
}

/// The whole page.
pub(in crate::http) fn page(openapi: &Value) -> String {
    render(&Docs::of(openapi))
}

fn render(docs: &Docs) -> String {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("prose", prose);
    let text = include_str!("../../../templates/ui/docs.html");
    templates.add_template("docs.html", text).expect("the embedded template is read by a test");
    let template = templates.get_template("docs.html").expect("it was just added");
    let context = Context::from(minijinja::value::Serde(docs));
    template.render(context).expect("the embedded template is rendered by a test")
}

/// Text with `code` in backticks, escaped.
fn prose(text: &str) -> Context {
    let mut html = String::new();
    for (at, piece) in text.split('`').enumerate() {
        let piece = HtmlEscape(piece);
        html += &if at % 2 == 1 { format!("<code>{piece}</code>") } else { piece.to_string() };
    }
    Context::from_safe_string(html)
}

impl Docs {
    fn of(openapi: &Value) -> Self {
        let groups = items(&openapi["tags"]).map(|tag| Group::of(tag, openapi));
        let schemas = fields(&openapi["components"]["schemas"]);
        let problem = |(status, anchor, title, _)| Problem { status, anchor, title };
        Self {
            title: text(&openapi["info"]["title"]),
            version: text(&openapi["info"]["version"]),
            description: text(&openapi["info"]["description"]),
            groups: groups.collect(),
            schemas: schemas.map(|(name, schema)| Schema::of(name, schema)).collect(),
            problems: KINDS.into_iter().map(problem).collect(),
        }
    }
}

impl Group {
    fn of(tag: &Value, openapi: &Value) -> Self {
        let operations = fields(&openapi["paths"]).flat_map(|(path, item)| {
            let tagged = fields(item).filter(|(_, operation)| operation["tags"][0] == tag["name"]);
            tagged.map(move |(method, operation)| Operation::of(method, path, operation))
        });
        Self {
            name: text(&tag["name"]),
            description: text(&tag["description"]),
            operations: operations.collect(),
        }
    }
}

impl Operation {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let parameter = |parameter: &Value| Parameter {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            required: parameter["required"] == true,
            kind: kind(&parameter["schema"]),
            description: text(&parameter["description"]),
        };
        let answer = |(status, answer): (&String, &Value)| Answer {
            status: status.clone(),
            description: text(&answer["description"]),
            contents: fields(&answer["content"])
                .map(|(media, content)| Content {
                    media: media.clone(),
                    kind: kind(&content["schema"]),
                })
                .collect(),
        };
        let body = &operation["requestBody"];
        let bodies = fields(&body["content"]).map(|(media, content)| Parameter {
            name: "body".to_owned(),
            place: media.clone(),
            required: body["required"] != false,
            kind: kind(&content["schema"]),
            description: text(&body["description"]),
        });
        Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            description: text(&operation["description"]),
            parameters: items(&operation["parameters"]).map(parameter).chain(bodies).collect(),
            responses: fields(&operation["responses"]).map(answer).collect(),
        }
    }
}

impl Schema {
    fn of(name: &str, schema: &Value) -> Self {
        let property = |(name, property): (&String, &Value)| Property {
            name: name.clone(),
            kind: kind(property),
            description: text(&property["description"]),
        };
        let variant = |variant: &Value| Named {
            name: kind(variant).into_iter().map(|word| word.text).collect(),
            description: text(&variant["description"]),
        };
        let variants = items(&schema["oneOf"]).chain(items(&schema["anyOf"]));
        Self {
            name: name.to_owned(),
            description: text(&schema["description"]),
            properties: fields(&schema["properties"]).map(property).collect(),
            values: variants.map(variant).collect(),
        }
    }
}

/// A type as people write it: `number or null`, `list of BudgetView`.
fn kind(schema: &Value) -> Vec<Word> {
    if let Some(reference) = schema["$ref"].as_str() {
        let text = reference.rsplit('/').next().unwrap_or(reference).to_owned();
        return vec![Word { text, is_schema: true }];
    }
    if let Some(value) = schema.get("const") {
        return vec![word(&value.to_string())];
    }
    for key in ["anyOf", "oneOf", "enum"] {
        let choices: Vec<Vec<Word>> = match key {
            "enum" => items(&schema[key]).map(|value| vec![word(&value.to_string())]).collect(),
            _ => items(&schema[key]).map(kind).collect(),
        };
        if !choices.is_empty() {
            return alternatives(choices);
        }
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        several => items(several).filter_map(Value::as_str).collect(),
    };
    match names.as_slice() {
        [] => vec![word("any value")],
        names => alternatives(names.iter().map(|name| plain(name, schema)).collect()),
    }
}

fn plain(name: &str, schema: &Value) -> Vec<Word> {
    let of = |words: &str, inner: &Value| {
        let mut all = vec![word(words)];
        all.extend(kind(inner));
        all
    };
    match name {
        "array" if schema["items"].is_object() => of("list of ", &schema["items"]),
        "object" if schema["additionalProperties"].is_object() => {
            of("map to ", &schema["additionalProperties"])
        }
        "object" if schema["properties"].is_object() => {
            let keys: Vec<&str> =
                fields(&schema["properties"]).map(|(key, _)| key.as_str()).collect();
            vec![word(&format!("object with {}", keys.join(", ")))]
        }
        "string" if schema["format"] == "date-time" => vec![word("instant")],
        name => vec![word(name)],
    }
}

fn alternatives(choices: Vec<Vec<Word>>) -> Vec<Word> {
    let mut all = Vec::new();
    for (at, choice) in choices.into_iter().enumerate() {
        if at > 0 {
            all.push(word(" or "));
        }
        all.extend(choice);
    }
    all
}

fn word(text: &str) -> Word {
    Word { text: text.to_owned(), is_schema: false }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests;
