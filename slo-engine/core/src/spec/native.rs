//! `kind: Service` of `headroom/v1`: from a document to a [`Service`]. One file per noun; the
//! shapes that serde reads (and the JSON Schema describes) are apart from what they mean.

mod alerts;
mod indicator;
mod lint;
mod reader;
mod service;
mod shape;
mod sides;
mod slo;
mod window;

use std::sync::Arc;

use crate::slo::Service;
use crate::spec::yaml::{Document, Spot};
use crate::spec::{SpecError, Warning};

pub(super) use lint::short_slice;
pub(super) use shape::ServiceDocument;

/// A service as its document declares it, with the spots that later findings point at.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The service.
    pub service: Arc<Service>,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<Warning>,
    /// The document it was read from.
    pub document: Document,
    /// The spot of its name.
    pub name: Spot,
    /// The spots of its `dependsOn`, in order.
    pub depends_on: Vec<Spot>,
    /// The spots of its SLOs, in order.
    pub slos: Vec<SloSpots>,
}

/// Where an SLO stands in its document.
#[derive(Debug, Clone, Default)]
pub struct SloSpots {
    /// The spot of its name.
    pub name: Spot,
    /// The spots of a composite's members, in order.
    pub members: Vec<Spot>,
    /// The spot of the length of its slices.
    pub slice: Option<Spot>,
}

/// Reads a document of kind `Service`.
///
/// # Errors
/// The fault in its form, or else everything that is wrong with its values.
pub fn read(document: &Document) -> Result<Declared, Vec<SpecError>> {
    let shape: ServiceDocument = document.read().map_err(|e| vec![e])?;
    service::service(document, &shape)
}
