//! The products that a fresh catalogue starts with: 60, always the same, ids 1 to 60.

use chrono::{DateTime, Utc};

use super::{Repository, RepositoryError};
use crate::product::Details;

const MATERIALS: [&str; 5] = ["Oak", "Steel", "Linen", "Glass", "Wool"];
const THINGS: [(&str, &str); 12] = [
    ("Lamp", "lighting"),
    ("Candle", "lighting"),
    ("Chair", "furniture"),
    ("Table", "furniture"),
    ("Shelf", "furniture"),
    ("Kettle", "kitchen"),
    ("Bowl", "kitchen"),
    ("Knife", "kitchen"),
    ("Blanket", "bedroom"),
    ("Pillow", "bedroom"),
    ("Bag", "travel"),
    ("Notebook", "office"),
];

/// Creates the first products, unless the repository holds them already.
pub(crate) async fn seed(
    repository: &dyn Repository,
    now: DateTime<Utc>,
) -> Result<(), RepositoryError> {
    for (number, (material, (thing, category))) in combinations().enumerate() {
        match repository.create(details(number, material, thing, category), now).await {
            Ok(_) | Err(RepositoryError::SkuTaken(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn combinations() -> impl Iterator<Item = (&'static str, (&'static str, &'static str))> {
    THINGS.into_iter().flat_map(|thing| MATERIALS.map(|material| (material, thing)))
}

fn details(number: usize, material: &str, thing: &str, category: &str) -> Details {
    let cents = 990 + 350 * number as u64;
    Details {
        sku: format!("{}-{}", thing.to_uppercase(), material.to_uppercase()),
        name: format!("{material} {}", thing.to_lowercase()),
        description: format!("A {} of {}", thing.to_lowercase(), material.to_lowercase()),
        category: category.to_owned(),
        price_cents: cents,
        currency: "EUR".to_owned(),
        stock: 10 + 7 * (number as u32 % 9),
    }
}
