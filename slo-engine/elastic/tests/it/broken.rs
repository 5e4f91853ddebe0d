//! Servers and proxies that answer something else: nothing is counted, and the error names address and reason.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use slo_source_elastic::{Auth, Config, Elastic, Error};

use crate::support::fake::Fake;
use crate::support::{START, all, client, config};

/// What is said about a server.
async fn error(fake: &Fake) -> Error {
    let asked = client(&fake.url).count(&[all("logs-*")], START, START + 1).await;
    let error = asked.unwrap_err();
    assert!(error.to_string().contains(&fake.url), "{error}");
    error
}

/// What is said about an answer.
async fn said(status: u16, headers: &str, body: &str) -> String {
    error(&Fake::always(status, headers, body)).await.to_string()
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let error = client(&url).count(&[all("logs")], START, START + 1).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { reason, .. } if reason.contains("refused")),
        "{error}"
    );
}

#[tokio::test]
async fn statuses_come_with_the_servers_reason_and_a_remedy() {
    let denied = r#"{"error":{"root_cause":[{"type":"security_exception","reason":"missing credentials"}],"type":"security_exception","reason":"missing credentials"},"status":401}"#;
    let text = said(401, "content-type: application/json\r\n", denied).await;
    assert!(text.contains("answered 401: security_exception: missing credentials"), "{text}");
    assert!(text.contains("check the source's `auth`"), "{text}");
    let text = said(403, "", "Forbidden").await;
    assert!(text.contains("answered 403: Forbidden; give the user"), "{text}");
    let text = said(503, "", "<html>no upstream</html>").await;
    assert!(text.contains("answered 503: <html>no upstream"), "{text}");
    let text = said(413, "", "").await;
    assert!(text.contains("answered 413: an empty answer; raise"), "{text}");
    let text = said(404, "", "404 page not found\n").await;
    assert!(text.contains("answered 404: 404 page not found"), "{text}");
    let old = r#"{"error":{"type":"x_content_parse_exception","reason":"[date_histogram] unknown field [fixed_interval]"},"status":400}"#;
    let text = said(400, "", old).await;
    assert!(text.contains("Elasticsearch 7.10 or OpenSearch 1 is the oldest"), "{text}");
}

#[tokio::test]
async fn a_429_tells_how_long_to_wait() {
    let error = error(&Fake::always(429, "retry-after: 17\r\n", "slow down")).await;
    let seventeen = Some(Duration::from_secs(17));
    assert!(matches!(error, Error::Throttled { retry_after, .. } if retry_after == seventeen));
    assert!(error.to_string().contains("a pause (429) of 17s: slow down"), "{error}");
}

#[tokio::test]
async fn what_is_no_search_answer_is_shown() {
    let html = said(200, "content-type: text/html\r\n", "<html>Sign in</html>").await;
    assert!(html.contains("not Elasticsearch or OpenSearch"), "{html}");
    assert!(html.contains("begins with `<html>Sign in"), "{html}");
    let other = said(200, "", r#"{"status":"success","data":[]}"#).await;
    assert!(other.contains("missing field `responses`"), "{other}");
    let cut = said(200, "", r#"{"took":1,"responses":[{"took":1,"timed_"#).await;
    assert!(cut.contains("EOF"), "{cut}");
    let fewer = said(200, "", r#"{"took":1,"responses":[]}"#).await;
    assert!(fewer.contains("0 answers to 1 searches"), "{fewer}");
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_an_error() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"took\":1,\"responses\":[]}";
    let fake = Fake::new(|_, stream| std::io::Write::write_all(stream, head).unwrap());
    let error = error(&fake).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_a_limit() {
    let fake = Fake::endless(&[b' '; 65_536], Duration::ZERO);
    let error = error(&fake).await;
    assert!(matches!(error, Error::TooLarge { limit, .. } if limit == 16 << 20), "{error}");
}

#[tokio::test]
async fn a_dripping_body_is_a_timeout() {
    let fake = Fake::endless(b" ", Duration::from_millis(50));
    let limit = Duration::from_millis(400);
    let elastic = Elastic::new(&Config { timeout: limit, ..config(&fake.url) }).unwrap();
    let began = Instant::now();
    let error = elastic.count(&[all("logs")], START, START + 1).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after, .. } if after == limit), "{error}");
    assert!(began.elapsed() < limit * 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_secrets() {
    let elsewhere = Fake::always(200, "", "{}");
    let location = format!("location: {}/\r\n", elsewhere.url);
    let text = said(307, &location, "").await;
    assert!(text.contains("answered 307"), "{text}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn the_credentials_are_sent_and_never_shown() {
    let pair = || "id:swordfish".to_owned();
    let basic = Auth::Basic { username: "slo".to_owned(), password: "swordfish".to_owned() };
    let expected = [
        (basic, "Basic c2xvOnN3b3JkZmlzaA=="),
        (Auth::ApiKey(pair()), "ApiKey aWQ6c3dvcmRmaXNo"),
        (Auth::ApiKey("aWQ6c3dvcmRmaXNo".to_owned()), "ApiKey aWQ6c3dvcmRmaXNo"),
        (Auth::Bearer("swordfish".to_owned()), "Bearer swordfish"),
    ];
    for (auth, header) in expected {
        let fake = Fake::always(401, "", "no");
        let headers = vec![("x-tenant".to_owned(), "swordfish-2".to_owned())];
        let url = format!("{}/prefix", fake.url);
        let elastic = Elastic::new(&Config { auth, headers, ..config(&url) }).unwrap();
        let error = elastic.count(&[all("logs")], START, START + 1).await.unwrap_err();
        assert!(!format!("{error} {error:?} {elastic:?}").contains("swordfish"));
        let request = fake.requests().remove(0);
        assert!(request.starts_with("POST /prefix/_msearch?"), "{request}");
        assert!(request.contains(&format!("authorization: {header}\r\n")), "{request}");
        assert!(request.contains("x-tenant: swordfish-2\r\n"), "{request}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_said_before_anything_is_sent() {
    let refused = |config: Config| Elastic::new(&config).unwrap_err().to_string();
    let plain = || config("http://localhost:9200");
    let secret = refused(config("http://slo:swordfish@localhost:9200"));
    assert!(
        secret.contains("write them under `auth`") && !secret.contains("swordfish"),
        "{secret}"
    );
    assert!(refused(config("localhost")).contains("not an address"));
    assert!(refused(config("ftp://localhost")).contains("`ftp` is not http or https"));
    let broken = refused(Config { auth: Auth::Bearer("a\nb".to_owned()), ..plain() });
    assert!(broken.contains("auth holds characters"), "{broken}");
    let header = refused(Config { headers: vec![("a b".to_owned(), String::new())], ..plain() });
    assert!(header.contains("`a b` cannot be the name of a header"), "{header}");
    let pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let pem = refused(Config { ca_pem: Some(pem), ..plain() });
    assert!(!pem.is_empty(), "{pem}");
}
