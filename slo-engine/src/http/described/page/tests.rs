use serde_json::json;

use super::*;

#[test]
fn every_link_of_the_page_leads_somewhere_on_it() {
    let page = page(&crate::http::openapi());
    let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    let mut count = 0;
    for anchor in links {
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_anchor_of_a_problem_is_on_the_page() {
    let page = page(&crate::http::openapi());
    for (_, anchor, ..) in KINDS {
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    assert!(page.contains("id=\"problems\""));
}

#[test]
fn what_is_described_is_escaped() {
    let evil = "<script>alert(\"1\")</script>&'";
    let schema = json!({"type": "object", "description": evil, "properties": {evil: {"type": evil, "description": evil}}});
    let operation = json!({
        "tags": [evil], "summary": evil, "description": evil,
        "parameters": [{"name": evil, "in": evil, "schema": {"enum": [evil]}, "description": evil}],
        "responses": {evil: {"description": evil, "content": {evil: {"schema": {"$ref": evil}}}}},
    });
    let document = json!({
        "tags": [{"name": evil, "description": evil}],
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {evil: {"get": operation}},
        "components": {"schemas": {evil: schema}},
    });
    let page = page(&document);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.matches("&lt;script&gt;").count() >= 15, "{page}");
    for attribute in page.split("=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(!attribute.contains('<'), "{attribute}");
    }
}

#[test]
fn types_read_as_people_write_them() {
    let said = |schema: Value| -> String { kind(&schema).into_iter().map(|w| w.text).collect() };
    for (schema, text) in [
        (json!({"type": ["number", "null"], "format": "double"}), "number or null"),
        (json!({"type": "string", "format": "date-time"}), "instant"),
        (json!({"$ref": "#/components/schemas/State"}), "State"),
        (
            json!({"anyOf": [{"$ref": "#/components/schemas/Unit"}, {"type": "null"}]}),
            "Unit or null",
        ),
        (json!({"type": "array", "items": {"$ref": "#/x/View"}}), "list of View"),
        (json!({"type": "object", "additionalProperties": {"type": "string"}}), "map to string"),
        (json!({"const": "noData"}), "\"noData\""),
        (json!({}), "any value"),
    ] {
        assert_eq!(said(schema), text);
    }
}
