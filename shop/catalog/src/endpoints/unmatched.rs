//! What is answered when no route matches, or the route does not know the method.

use crate::problem::{Problem, ProblemKind};

pub(crate) async fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "no route matches this path; /docs lists them")
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, "the header `allow` lists the methods")
}
