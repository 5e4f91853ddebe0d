//! Environment variables over the file: `HEADROOM__SECTION__KEY`, with `__` between the keys of a path.

use serde_json::{Map, Value};

use super::{Config, ConfigError};
use crate::source::config::SourceConfig;

pub(super) fn overridden(
    config: Config,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut variables: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| name.starts_with("HEADROOM__")).collect();
    variables.sort();
    variables.into_iter().try_fold(config, |config, (name, value)| {
        let path: Vec<&str> = name.split("__").skip(1).collect();
        set(config, &path, &value).map_err(|reason| ConfigError::Variable { name, reason })
    })
}

fn set(mut config: Config, path: &[&str], value: &str) -> Result<Config, String> {
    make_room(&mut config, path);
    let tree = serde_json::to_value(&config).map_err(|e| e.to_string())?;
    let spelled = |spell: fn(&str) -> String| {
        let mut tree = tree.clone();
        put(&mut tree, path, value, spell)?;
        serde_json::from_value(tree).map_err(|e| e.to_string())
    };
    // A key that is not there yet is one of the program's, in small letters, or a name such as a header's.
    spelled(str::to_owned).or_else(|_| spelled(str::to_lowercase))
}

/// A variable may name the source after the last one: it begins as the defaults.
fn make_room(config: &mut Config, path: &[&str]) {
    if let [section, at, ..] = path
        && section.eq_ignore_ascii_case("sources")
        && at.parse() == Ok(config.sources.len())
    {
        config.sources.push(SourceConfig::default());
    }
}

/// Sets the value at a path; keys match without regard to case, as environment variables are upper case.
fn put(
    tree: &mut Value,
    path: &[&str],
    value: &str,
    spell: fn(&str) -> String,
) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *tree = scalar(tree, value)?;
        return Ok(());
    };
    if tree.is_null() {
        *tree = Value::Object(Map::new());
    }
    match tree {
        Value::Object(map) => {
            let known = map.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned();
            let place = map.entry(known.unwrap_or_else(|| spell(key))).or_insert(Value::Null);
            put(place, rest, value, spell)
        }
        Value::Array(list) => {
            let at: usize = key.parse().map_err(|_| format!("`{key}` is no position in a list"))?;
            let length = list.len();
            let item =
                list.get_mut(at).ok_or_else(|| format!("there are {length}, counted from 0"))?;
            put(item, rest, value, spell)
        }
        _ => Err(format!("`{}` is not a section", key.to_lowercase())),
    }
}

/// A text as the kind of value that stands there: numbers and booleans where they fit, `{...}` and `[...]` as
/// YAML has them, and lists of texts also with commas between.
fn scalar(there: &Value, text: &str) -> Result<Value, String> {
    match (there, text.trim_start().as_bytes().first()) {
        (_, Some(b'{')) | (Value::Array(_), Some(b'[')) => {
            serde_saphyr::from_str(text).map_err(|e| e.to_string())
        }
        (Value::Null, _) if text == "null" => Ok(Value::Null),
        (Value::String(_) | Value::Null | Value::Object(_), _) => {
            Ok(Value::String(text.to_owned()))
        }
        (Value::Array(_), _) => {
            Ok(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect())
        }
        _ => Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}
