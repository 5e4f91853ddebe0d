//! One target: where it is asked, and the labels that tell its series from those of others.

use std::borrow::Cow;
use std::fmt;

use reqwest::Url;
use slo_core::counter::TargetKey;
use slo_core::labels::Labels;
use slo_core::plan::one_spelling;

/// One `/metrics` address with its `job` and `instance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    job: String,
    instance: String,
}

/// Why a target's text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address.
    #[error("target `{text}` is not an address ({reason}); write it like http://host:9100/metrics")]
    Address {
        /// The text as configured.
        text: String,
        /// What the parser of addresses says.
        reason: String,
    },
    /// Neither http nor https.
    #[error("target `{text}` uses {scheme}, which cannot be scraped; use http or https")]
    Scheme {
        /// The text as configured.
        text: String,
        /// The scheme it names.
        scheme: String,
    },
    /// A name or password in the address.
    #[error("the target at {host} has credentials in its address; move them to the source's auth")]
    Credentials {
        /// The host alone, so that no secret is shown.
        host: String,
    },
    /// A fragment, which is never sent.
    #[error("target `{text}` has a # part, which is never sent; remove it")]
    Fragment {
        /// The text as configured.
        text: String,
    },
}

impl Target {
    /// Reads `host:9100`, `http://host:9100` or a whole address; the scheme defaults to http, the
    /// path (also a bare `/`) to `/metrics`. `job` is the configured name of the source or job.
    ///
    /// # Errors
    /// What is wrong with the address, and the remedy.
    pub fn parse(text: &str, job: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let mut url = address(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme().to_owned();
            return Err(TargetError::Scheme { text: text.to_owned(), scheme });
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials { host });
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment { text: text.to_owned() });
        }
        if url.path() == "/" {
            url.set_path("/metrics");
        }
        let instance = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
        Ok(Self { url, job: job.to_owned(), instance })
    }

    /// The address that is asked.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The `job` label of all its series.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The `instance` label of all its series, `host:port`.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// What tells its series from those of others.
    #[must_use]
    pub fn key(&self) -> TargetKey {
        TargetKey { job: self.job.as_str().into(), instance: self.instance.as_str().into() }
    }

    /// The labels of an exposed series with those of the target. The target's own win; exposed
    /// ones of the same name are kept as `exported_job` and `exported_instance`, as in Prometheus,
    /// so that no two series become one.
    #[must_use]
    pub fn series(&self, exposed: &Labels) -> Labels {
        let own = [("job", self.job.as_str()), ("instance", self.instance.as_str())];
        let renamed = exposed.iter().map(|(name, value)| {
            let clash = own.iter().any(|(label, _)| *label == name);
            let name = if clash { exported(name, exposed) } else { name.to_owned() };
            let is_le = name == "le";
            (name, if is_le { one_spelling(Cow::Borrowed(value)) } else { Cow::Borrowed(value) })
        });
        Labels::new(renamed.chain(own.map(|(name, value)| (name.to_owned(), Cow::Borrowed(value)))))
    }
}

/// The address without its query, which may hold what is nobody's business.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.url.scheme(), self.instance, self.url.path())
    }
}

fn address(text: &str) -> Result<Url, TargetError> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    // Of a text with an @ the error shows nothing: what stands before it may be a password.
    Url::parse(&whole).map_err(|error| TargetError::Address {
        text: if text.contains('@') { "..." } else { text }.to_owned(),
        reason: error.to_string(),
    })
}

fn exported(name: &str, exposed: &Labels) -> String {
    let mut name = format!("exported_{name}");
    while !exposed.get(&name).is_empty() {
        name.insert_str(0, "exported_");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_path_and_port_have_defaults() {
        for (text, url, instance) in [
            ("shop:9100", "http://shop:9100/metrics", "shop:9100"),
            (" http://shop:9100 ", "http://shop:9100/metrics", "shop:9100"),
            ("http://shop:9100/", "http://shop:9100/metrics", "shop:9100"),
            ("http://shop:9100/a/b", "http://shop:9100/a/b", "shop:9100"),
            ("shop", "http://shop/metrics", "shop:80"),
            ("https://shop", "https://shop/metrics", "shop:443"),
            ("[::1]:9100", "http://[::1]:9100/metrics", "[::1]:9100"),
            ("127.0.0.1:1?x=1", "http://127.0.0.1:1/metrics?x=1", "127.0.0.1:1"),
        ] {
            let target = Target::parse(text, "shop").unwrap();
            assert_eq!((target.url().as_str(), target.instance()), (url, instance), "{text}");
            assert_eq!(target.job(), "shop");
        }
    }

    #[test]
    fn a_target_is_shown_without_its_query() {
        let target = Target::parse("shop:9100/probe?token=x", "shop").unwrap();
        assert_eq!(target.to_string(), "http://shop:9100/probe");
    }

    #[test]
    fn addresses_that_cannot_be_scraped_are_refused_with_the_remedy() {
        for (text, remedy) in [
            ("", "write it like http://host:9100/metrics"),
            ("http://", "write it like http://host:9100/metrics"),
            ("shop:99999", "write it like http://host:9100/metrics"),
            ("ftp://shop/x", "use http or https"),
            ("http://shop/metrics#x", "remove it"),
            ("http://ana:secret@shop/metrics", "move them to the source's auth"),
            ("http://ana:secret@shop:99999", "write it like http://host:9100/metrics"),
        ] {
            let error = Target::parse(text, "shop").unwrap_err().to_string();
            assert!(error.contains(remedy) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_targets_labels_win_and_exposed_ones_are_kept_as_exported() {
        let target = Target::parse("shop:1", "shop").unwrap();
        let exposed = Labels::new([
            ("__name__", "up"),
            ("instance", "db:5432"),
            ("job", "a"),
            ("exported_job", "b"),
        ]);
        let series = target.series(&exposed).to_string();
        assert_eq!(
            series,
            r#"up{exported_exported_job="a",exported_instance="db:5432",exported_job="b",instance="shop:1",job="shop"}"#
        );
    }

    #[test]
    fn series_that_differ_in_an_exposed_instance_stay_two() {
        let target = Target::parse("shop:1", "shop").unwrap();
        let of =
            |instance| target.series(&Labels::new([("__name__", "x"), ("instance", instance)]));
        assert_ne!(of("a"), of("b"));
    }
}
