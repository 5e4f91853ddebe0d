//! Texts with a form of their own, kept as written: `99.9%`, `30d`, a name, `gate`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

macro_rules! text {
    ($(#[doc = $doc:literal])* $name:ident, $title:literal, $schema:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub(in crate::spec) struct $name(pub(in crate::spec) String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text!(
    /// A share, as text with a percent sign or as a number.
    ShareText,
    "Share",
    json_schema!({
        "description": "A share: `99.9%` or `0.999`.",
        "anyOf": [
            {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*%?\s*$"},
            {"type": "number", "minimum": 0, "maximum": 1},
        ],
    })
);

text!(
    /// A length of time.
    SpanText,
    "Duration",
    json_schema!({
        "description": "A duration: `30d`, `1h30m`, `90s`, `500ms`.",
        "type": "string",
        "pattern": r"^\s*([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?\s*$",
    })
);

text!(
    /// A name of a service, an SLO, an environment or an alert.
    NameText,
    "Name",
    json_schema!({
        "description": "A name: a-z, 0-9 and -, 1 to 63 characters.",
        "type": "string",
        "pattern": "^[a-z0-9-]{1,63}$",
    })
);

text!(
    /// `service/slo` or `service/slo@environment`.
    LinkedName,
    "Reference",
    json_schema!({
        "description": "A reference to an SLO: service/slo or service/slo@environment.",
        "type": "string",
        "pattern": "^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}(@[a-z0-9-]{1,63})?$",
    })
);

text!(
    /// `true`, `false` or `groups`.
    GateText,
    "Gate",
    json_schema!({
        "description": "Whether an SLO decides in the gate.",
        "enum": [true, false, "groups"],
    })
);

text!(
    /// `occurrences`, the way to count a budget that is a word.
    BudgetText,
    "Occurrences",
    json_schema!({"description": "Events.", "const": "occurrences"})
);
