//! `?page=&perPage=` and the shape of a list, shared by the two endpoints that answer lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::checks::Checks;
use crate::problem::{Problem, ProblemKind};
use crate::product::Product;
use crate::repository::{Page, Slice};

const DEFAULT_PER_PAGE: usize = 20;
const MAX_PER_PAGE: usize = 100;
/// Far beyond any catalogue, and far from overflow.
const MAX_PAGE: usize = 1_000_000;

/// Texts, so that the one that is no number can be named.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// From 1, which is the default
    #[param(value_type = Option<u32>)]
    pub(crate) page: Option<String>,
    /// 1 to 100; 20 when absent
    #[param(value_type = Option<u32>)]
    pub(crate) per_page: Option<String>,
}

/// A page that exists in principle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageNumber {
    page: usize,
    per_page: usize,
}

impl PageQuery {
    pub(crate) fn check(self, mut checks: Checks) -> Result<PageNumber, Problem> {
        let page = number(&mut checks, "page", self.page, 1, MAX_PAGE);
        let per_page =
            number(&mut checks, "perPage", self.per_page, DEFAULT_PER_PAGE, MAX_PER_PAGE);
        checks.done(ProblemKind::Malformed)?;
        Ok(PageNumber { page, per_page })
    }
}

fn number(
    checks: &mut Checks,
    field: &str,
    text: Option<String>,
    default: usize,
    most: usize,
) -> usize {
    let Some(text) = text else { return default };
    let number = text.parse().unwrap_or(0);
    checks.require((1..=most).contains(&number), field, format!("is between 1 and {most}"));
    number
}

impl PageNumber {
    pub(crate) fn range(self) -> Page {
        Page { skip: (self.page - 1) * self.per_page, take: self.per_page }
    }
}

/// One page of products.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductPage {
    items: Vec<Product>,
    page: usize,
    per_page: usize,
    /// Products on all pages
    total: usize,
}

impl ProductPage {
    pub(crate) fn new(number: PageNumber, slice: Slice) -> Self {
        let PageNumber { page, per_page } = number;
        Self { items: slice.items, page, per_page, total: slice.total }
    }
}
