//! From an operation to the request that is sent; ids of created products wait here for a delete.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{Method, Request, Uri, header};
use serde_json::json;

use crate::mix::Operation;

const WORDS: [&str; 10] =
    ["lamp", "oak", "chair", "glass", "kitchen", "wool", "bag", "steel", "table", "nothing"];

/// Created products that wait to be deleted; older ones beyond it are left in the catalogue.
const MOST_CREATED: usize = 10_000;

/// Makes requests for one target.
#[derive(Debug)]
pub(crate) struct Planner {
    base: String,
    /// In every sku, so that two loads never make the same one.
    run: String,
    /// Products with the ids 1 to this are read and updated.
    products: u64,
    created: Mutex<VecDeque<u64>>,
}

impl Planner {
    pub(crate) fn new(url: &Uri, products: u64, run: String) -> Self {
        let base = url.to_string().trim_end_matches('/').to_owned();
        Self { base, run, products, created: Mutex::default() }
    }

    /// The request for this operation; `ordinal` is its place among all arrivals, and `draw` is
    /// random.
    pub(crate) fn request(&self, operation: Operation, ordinal: u64, draw: u64) -> Request<Body> {
        let id = 1 + draw % self.products;
        match operation {
            Operation::List => {
                bare(Method::GET, self.at(&format!("/products?page={}", 1 + id % 3)))
            }
            Operation::Get => bare(Method::GET, self.at(&format!("/products/{id}"))),
            Operation::Search => {
                let word = WORDS[(id % WORDS.len() as u64) as usize];
                bare(Method::GET, self.at(&format!("/search?q={word}")))
            }
            Operation::Create => {
                let sku = format!("load-{}-{ordinal}", self.run);
                with_product(Method::POST, self.at("/products"), &sku, ordinal)
            }
            Operation::Update => {
                let sku = format!("load-{}-p{id}", self.run);
                with_product(Method::PUT, self.at(&format!("/products/{id}")), &sku, ordinal)
            }
            Operation::Delete => {
                // 0 is nobody's id: with nothing to delete the answer is an honest 404
                let id = self.created().pop_front().unwrap_or(0);
                bare(Method::DELETE, self.at(&format!("/products/{id}")))
            }
        }
    }

    /// Notes a product that this load created.
    pub(crate) fn note_created(&self, id: u64) {
        let mut created = self.created();
        if created.len() < MOST_CREATED {
            created.push_back(id);
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn created(&self) -> std::sync::MutexGuard<'_, VecDeque<u64>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bare(method: Method, uri: String) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri).body(Body::empty());
    request.expect("a checked base and an ASCII path make a URI")
}

fn with_product(method: Method, uri: String, sku: &str, ordinal: u64) -> Request<Body> {
    let product = json!({
        "sku": sku,
        "name": format!("Loaded lamp {ordinal}"),
        "category": "lighting",
        "priceCents": 100 + ordinal % 10_000,
        "stock": ordinal % 100,
    });
    let request = Request::builder().method(method).uri(uri);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(product.to_string()));
    request.expect("a checked base and an ASCII path make a URI")
}
