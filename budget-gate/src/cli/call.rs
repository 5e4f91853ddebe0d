//! One request to the engine, before it is sent.

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

use super::args::Engine;
use super::client::Failure;

/// What is sent.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Value>,
    pub(crate) repeat: Repeat,
}

/// When a call that failed may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Always: the engine answers a second one as it answered the first.
    Always,
    /// Only when the engine cannot have done what it asks for.
    IfNotDone,
}

impl Call {
    /// Reads what is at these segments of the engine's path.
    pub(crate) fn get(engine: &Engine, path: &[&str], query: &[(&str, Option<&str>)]) -> Self {
        let mut url = address(&engine.url, path);
        for (key, value) in query.iter().filter_map(|(key, value)| Some((key, (*value)?))) {
            url.query_pairs_mut().append_pair(key, value);
        }
        Self::new(Method::GET, url, None, Repeat::Always)
    }

    /// Sends JSON there; fields that are null are left out.
    pub(crate) fn post(engine: &Engine, path: &[&str], body: Value, repeat: Repeat) -> Self {
        let url = address(&engine.url, path);
        Self::new(Method::POST, url, Some(without_nulls(body)), repeat)
    }

    fn new(method: Method, url: Url, body: Option<Value>, repeat: Repeat) -> Self {
        Self { method, url, headers: HeaderMap::new(), body, repeat }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// The request; redirects are not followed, because the token is meant for this engine.
    ///
    /// # Errors
    /// The client cannot be made, or the token can be none.
    pub(crate) fn request(&self, token: Option<&str>) -> Result<RequestBuilder, Failure> {
        let agent = concat!("budget-gate/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().redirect(Policy::none()).user_agent(agent).build();
        let client = client.map_err(|e| Failure::Unreachable(super::client::reasons(&e)))?;
        let mut request = client.request(self.method.clone(), self.url.clone());
        request = request.header(ACCEPT, "application/json").headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        match token {
            Some(token) => Ok(request.header(reqwest::header::AUTHORIZATION, bearer(token)?)),
            None => Ok(request),
        }
    }
}

fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Failure::WrongQuestion("the token holds letters that no token has".to_owned())
    })?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

fn address(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn without_nulls(body: Value) -> Value {
    match body {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}
