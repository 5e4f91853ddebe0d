//! Where samples and log counts come from, one module per kind of source.

pub mod scrape;
