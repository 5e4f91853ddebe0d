//! The hash by which a policy is known in decisions.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and the hex of the hash of a value's canonical JSON.
pub(super) fn hash(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).expect("a policy has text keys and finite numbers only");
    let mut text = String::new();
    write(&json, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Keys in order, no space, no members that are null.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().filter(|(_, v)| !v.is_null()).collect();
            members.sort_by_key(|(key, _)| *key);
            list(out, ['{', '}'], &members, |(key, value), out| {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            });
        }
        Value::Array(items) => list(out, ['[', ']'], items, write),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn list<T>(out: &mut String, ends: [char; 2], items: &[T], each: impl Fn(&T, &mut String)) {
    out.push(ends[0]);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(ends[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_has_its_keys_in_order_and_no_nulls() {
        let value = serde_json::json!({"b": [1, "x\n", null], "a": {"d": 0.25, "c": null}});
        let mut text = String::new();
        write(&value, &mut text);
        assert_eq!(text, r#"{"a":{"d":0.25},"b":[1,"x\n",null]}"#);
    }
}
