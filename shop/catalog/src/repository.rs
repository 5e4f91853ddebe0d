//! Where products are kept: the one trait, its errors, and a page of an answer.

mod memory;
mod seed;

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use crate::product::{Details, Product};

pub use memory::MemoryRepository;
pub(crate) use seed::seed;

/// What a repository answers, later; boxed so that the service holds any repository.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RepositoryError>> + Send + 'a>>;

/// Keeps products. An id is given once and never again.
pub trait Repository: Send + Sync {
    /// Products in the order of their ids.
    fn list(&self, page: Page) -> Answer<'_, Slice>;
    /// Products whose sku, name, description or category contains `text`, whatever its case.
    fn search<'a>(&'a self, text: &'a str, page: Page) -> Answer<'a, Slice>;
    fn get(&self, id: u64) -> Answer<'_, Product>;
    fn create(&self, details: Details, now: DateTime<Utc>) -> Answer<'_, Product>;
    fn update(&self, id: u64, details: Details, now: DateTime<Utc>) -> Answer<'_, Product>;
    fn delete(&self, id: u64) -> Answer<'_, ()>;
    /// Whether the storage answers at all.
    fn ready(&self) -> Answer<'_, ()>;
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub skip: usize,
    pub take: usize,
}

/// One page, and how many there are on all of them.
#[derive(Debug, Clone)]
pub struct Slice {
    pub items: Vec<Product>,
    pub total: usize,
}

/// Why a repository did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("there is no product {0}")]
    NotFound(u64),
    #[error("the sku {0:?} belongs to another product")]
    SkuTaken(String),
    #[error("the catalogue is full with {0} products")]
    Full(usize),
    #[error("the storage does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
