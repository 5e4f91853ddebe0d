use serde_json::Value;

use super::*;
use crate::source::config::{Basic, Secret, TargetConfig};

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn the_reference_file_names_the_defaults() {
    let all = documents("config.default.yaml", DEFAULTS.as_bytes());
    let read: Config = all.into_iter().next().unwrap().unwrap().read().unwrap();
    assert_eq!(read, Config::default());
}

#[test]
fn the_reference_file_names_every_key() {
    fn keys(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                out.push(key.clone());
                keys(value, out);
            }),
            Value::Array(list) => list.iter().for_each(|value| keys(value, out)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    keys(&serde_json::to_value(Config::default()).unwrap(), &mut all);
    for key in all {
        assert!(DEFAULTS.contains(&format!("{key}:")), "config.default.yaml lacks {key}");
    }
}

#[test]
fn environment_variables_override_any_key() {
    let config = Config::load(
        None,
        environment(&[
            ("HEADROOM__SERVER__PUBLICURL", "https://headroom.example"),
            ("HEADROOM__SOURCES__0__URL", "http://prom:9090"),
            ("HEADROOM__SOURCES__0__MAXSAMPLES", "5"),
            ("HEADROOM__SPECS__PATHS", "a,b"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(config.server.public_url.as_deref(), Some("https://headroom.example"));
    assert_eq!(
        (config.sources[0].url.as_str(), config.sources[0].max_samples),
        ("http://prom:9090", 5)
    );
    assert_eq!(config.specs.paths, [PathBuf::from("a"), PathBuf::from("b")]);
}

#[test]
fn a_second_source_may_come_from_the_environment_alone() {
    let pairs =
        [("HEADROOM__SOURCES__1__NAME", "eu"), ("HEADROOM__SOURCES__1__URL", "http://eu:9090")];
    let config = Config::load(None, environment(&pairs)).unwrap();
    assert_eq!((config.sources.len(), config.sources[1].name.as_str()), (2, "eu"));
    assert!(Config::load(None, environment(&[("HEADROOM__SOURCES__5__NAME", "x")])).is_err());
}

#[test]
fn a_variable_that_fits_nowhere_is_named() {
    for name in ["HEADROOM__SERVER__LISTN", "HEADROOM__SOURCES__X__URL", "HEADROOM__SCHEDULE__TICK"]
    {
        let error = Config::load(None, environment(&[(name, "soon")])).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn secrets_and_headers_come_from_the_environment_in_each_form() {
    let config = Config::load(
        None,
        environment(&[
            ("HEADROOM__SOURCES__0__AUTH__BEARER__FILE", "/run/token"),
            ("HEADROOM__SOURCES__0__HEADERS__X-Scope-OrgID", "12"),
            ("HEADROOM__SOURCES__1__NAME", "eu"),
            ("HEADROOM__SOURCES__1__AUTH__BASIC__PASSWORD", "{env: EU_PASSWORD}"),
            ("HEADROOM__SOURCES__1__AUTH__BASIC__USERNAME", "headroom"),
            ("HEADROOM__SOURCES__1__HEADERS", "{X-Scope-OrgID: {file: /run/tenant}, X-A: b}"),
            ("HEADROOM__SOURCES__2__NAME", "us"),
            ("HEADROOM__SOURCES__2__AUTH__BEARER", "12345"),
        ]),
    )
    .unwrap();
    let [first, eu, us] = &config.sources[..] else { panic!("{:?}", config.sources) };
    let file = |path: &str| Secret::File { file: PathBuf::from(path) };
    let text = |text: &str| Secret::Text(text.to_owned());
    assert_eq!(first.auth.bearer, Some(file("/run/token")));
    assert_eq!(first.headers["X-Scope-OrgID"], text("12"));
    let password = Secret::Env { env: "EU_PASSWORD".to_owned() };
    let basic = Basic { username: "headroom".to_owned(), password };
    assert_eq!(eu.auth.basic, Some(basic));
    assert_eq!(
        (&eu.headers["X-Scope-OrgID"], &eu.headers["X-A"]),
        (&file("/run/tenant"), &text("b"))
    );
    assert_eq!(us.auth.bearer, Some(text("12345")));
}

#[test]
fn what_is_set_can_be_unset_and_lists_may_hold_mappings() {
    let pairs = [
        ("HEADROOM__SERVER__PUBLICURL", "null"),
        ("HEADROOM__SOURCES__0__KIND", "scrape"),
        ("HEADROOM__SOURCES__0__TARGETS", "[{url: 'http://a/metrics', job: shop}]"),
    ];
    let config = Config::load(None, environment(&pairs)).unwrap();
    assert_eq!(config.server.public_url, None);
    let named = TargetConfig::Named { url: "http://a/metrics".to_owned(), job: "shop".to_owned() };
    assert_eq!(config.sources[0].targets, [named]);
}

#[test]
fn values_that_cannot_be_meant_are_refused_by_their_key() {
    for (name, value, said) in [
        ("SERVER__LISTEN", "foo", "server.listen: `foo` is no address with a port"),
        (
            "SERVER__PUBLICURL",
            "headroom.example",
            "server.publicUrl: `headroom.example` is no address",
        ),
        ("ADAPTERS__GITLAB__URL", "ftp://git", "adapters.gitlab.url: `ftp://git` is no address"),
        ("GATE__INCIDENTSCLOSEAFTER", "0s", "gate.incidentsCloseAfter must be"),
        (
            "SOURCES__0__URL",
            "prom:9090",
            "sources[0] (`prometheus`): url: `prom:9090` is no address",
        ),
        ("SOURCES__0__KIND", "scrape", "it has no targets; list"),
        ("SOURCES__0__KIND", "jsonlog", "it has no files; list"),
        ("SOURCES__0__NAME", "", "name is empty"),
        ("SOURCES__0__MAXSAMPLES", "0", "maxSamples must be at least 1"),
        ("SOURCES__0__TIMEOUT", "0s", "timeout must be more than 0s"),
        ("SOURCES__0__AUTH__BASIC__USERNAME", "ana", "auth.basic has no password"),
        ("SOURCES__0__AUTH__BASIC__PASSWORD", "x", "auth.basic has no username"),
        ("SOURCES__0__AUTH__APIKEY", "x", "auth.apiKey is of kind elasticsearch"),
        ("SOURCES__0__AUTH__BEARER__FIEL", "x", "{env: NAME} or {file: PATH}"),
        ("SOURCES__0__AUTH", "{bearer: a, basic: {username: b, password: c}}", "keep one"),
    ] {
        let name = format!("HEADROOM__{name}");
        let error = Config::load(None, environment(&[(&name, value)])).unwrap_err().to_string();
        assert!(error.contains(said), "{name}: {error}");
    }
}

#[test]
fn a_file_that_says_nothing_leaves_the_defaults() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for text in ["", "# nothing yet\n\n---\n  # here\n"] {
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(Config::load(Some(file.path()), []).unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn a_tick_that_cannot_be_meant_is_refused() {
    for tick in ["0s", "500ms", "100000000d"] {
        let error = Config::load(None, environment(&[("HEADROOM__SCHEDULE__TICK", tick)]));
        assert!(error.unwrap_err().to_string().contains("schedule.tick"), "{tick}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let (cert, key) = ("HEADROOM__SERVER__TLS__CERTFILE", "HEADROOM__SERVER__TLS__KEYFILE");
    let error = Config::load(None, environment(&[(cert, "a.pem")])).unwrap_err().to_string();
    assert_eq!(
        error,
        "server.tls.certFile is set and server.tls.keyFile is not; set both, or none"
    );
    let both = Config::load(None, environment(&[(cert, "a.pem"), (key, "b.pem")])).unwrap();
    assert_eq!(both.server.tls.key_file, Some(PathBuf::from("b.pem")));
}

#[test]
fn a_password_in_the_url_of_a_source_is_refused_without_showing_it() {
    let load = |url: &str| Config::load(None, environment(&[("HEADROOM__SOURCES__0__URL", url)]));
    for url in ["http://usr:s3cret@localhost:9090", "https://usr@s3cret", "usr:s3cret@localhost:x"]
    {
        let error = load(url).unwrap_err().to_string();
        assert!(error.contains("auth.basic") && !error.contains("s3cret"), "{error}");
    }
    assert!(load("http://localhost:9090/a@b").is_ok());
}

#[test]
fn a_level_that_is_none_is_refused_and_does_not_silence_the_log() {
    let load =
        |level: &str| Config::load(None, environment(&[("HEADROOM__TELEMETRY__LEVEL", level)]));
    for level in ["wran", "warning", "info,loud"] {
        let error = load(level).unwrap_err().to_string();
        assert!(error.contains("is no level; levels are off, error, warn"), "{error}");
    }
    for level in ["warn", "DEBUG", "info, hyper=debug", "off"] {
        assert!(load(level).is_ok(), "{level}");
    }
}

#[test]
fn an_unknown_key_in_the_file_has_a_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "server:\n  lisen: 1\n").unwrap();
    let error = Config::load(Some(file.path()), []).unwrap_err().to_string();
    assert!(
        error.contains(":2:3") && error.contains("lisen") && error.contains("listen"),
        "{error}"
    );
}
