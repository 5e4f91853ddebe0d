//! A product, what a client may send for one, and what makes that valid.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::checks::Checks;
use crate::problem::{Problem, ProblemKind};

/// A product as it is kept and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub id: u64,
    #[serde(flatten)]
    pub details: Details,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The part of a product that a client writes; valid by construction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    pub sku: String,
    pub name: String,
    pub description: String,
    pub category: String,
    pub price_cents: u64,
    pub currency: String,
    pub stock: u32,
}

/// The body of create and update. Every field may be absent, so that one answer names all faults.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProductForm {
    /// 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'; unique
    #[schema(required = true, nullable = false, example = "LAMP-OAK-01")]
    pub sku: Option<String>,
    /// 1 to 120 characters
    #[schema(required = true, nullable = false, example = "Oak lamp")]
    pub name: Option<String>,
    /// At most 2,000 characters
    pub description: Option<String>,
    /// 1 to 60 characters
    #[schema(required = true, nullable = false, example = "lighting")]
    pub category: Option<String>,
    /// 0 to 100,000,000
    #[schema(required = true, nullable = false, example = 4950)]
    pub price_cents: Option<u64>,
    /// Three capital letters; EUR when absent
    pub currency: Option<String>,
    /// 0 when absent
    pub stock: Option<u32>,
}

const MAX_PRICE_CENTS: u64 = 100_000_000;

impl ProductForm {
    /// The details this form describes, or every field that is wrong with it.
    pub(crate) fn check(self) -> Result<Details, Problem> {
        let mut checks = Checks::default();
        let details = Details {
            sku: checks.given("sku", self.sku),
            name: checks.given("name", self.name).trim().to_owned(),
            description: self.description.unwrap_or_default(),
            category: checks.given("category", self.category).trim().to_owned(),
            price_cents: checks.given("priceCents", self.price_cents),
            currency: self.currency.unwrap_or_else(|| "EUR".to_owned()),
            stock: self.stock.unwrap_or(0),
        };
        checks.require(is_sku(&details.sku), "sku", SKU_RULE);
        checks.require(has_length(&details.name, 1, 120), "name", "is 1 to 120 characters long");
        let category = has_length(&details.category, 1, 60);
        checks.require(category, "category", "is 1 to 60 characters long");
        let description = has_length(&details.description, 0, 2_000);
        checks.require(description, "description", "is at most 2000 characters long");
        checks.require(is_currency(&details.currency), "currency", "is three capital letters");
        let affordable = details.price_cents <= MAX_PRICE_CENTS;
        checks.require(affordable, "priceCents", "is at most 100000000");
        checks.done(ProblemKind::Invalid)?;
        Ok(details)
    }
}

const SKU_RULE: &str = "is 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'";

fn is_sku(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn has_length(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn valid() -> ProductForm {
        ProductForm {
            sku: Some("LAMP-1".to_owned()),
            name: Some(" Lamp ".to_owned()),
            category: Some("lighting".to_owned()),
            price_cents: Some(4_950),
            ..ProductForm::default()
        }
    }

    #[test]
    fn defaults_fill_what_may_be_absent_and_names_are_trimmed() {
        let details = valid().check().unwrap();
        assert_eq!((details.name.as_str(), details.currency.as_str()), ("Lamp", "EUR"));
        assert_eq!((details.stock, details.description.as_str()), (0, ""));
    }

    #[test]
    fn an_empty_form_is_refused_with_each_required_field_named_once() {
        let problem = ProductForm::default().check().unwrap_err();
        let said = format!("{problem:?}");
        for field in ["sku", "name", "category", "priceCents"] {
            assert_eq!(said.matches(&format!("field: \"{field}\"")).count(), 1, "{said}");
        }
        assert_eq!(problem.into_response().status(), 422);
    }

    #[test]
    fn a_sku_with_a_space_and_a_price_beyond_the_limit_are_refused() {
        let form = ProductForm {
            sku: Some("A B".to_owned()),
            price_cents: Some(MAX_PRICE_CENTS + 1),
            currency: Some("eur".to_owned()),
            ..valid()
        };
        let said = format!("{:?}", form.check().unwrap_err());
        for field in ["sku", "priceCents", "currency"] {
            assert!(said.contains(&format!("field: \"{field}\"")), "{said}");
        }
    }
}
