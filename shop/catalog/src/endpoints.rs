//! One file for each group of endpoints: extract, ask, answer.

pub(crate) mod faults;
pub(crate) mod health;
pub(crate) mod metrics;
mod paging;
pub(crate) mod products;
pub(crate) mod search;
pub(crate) mod unmatched;

use crate::problem::{Problem, ProblemKind};
use crate::repository::RepositoryError;

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        let kind = match error {
            RepositoryError::NotFound(_) => ProblemKind::NotFound,
            RepositoryError::SkuTaken(_) => {
                return Self::of_field(ProblemKind::Conflict, "sku", error.to_string());
            }
            RepositoryError::Full(_) => ProblemKind::Conflict,
            RepositoryError::Unavailable(_) => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
