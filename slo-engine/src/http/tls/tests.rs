use std::fs;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Client;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::http::connections::serving;

/// A folder with the files of a certificate that signs itself.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.renew();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes another certificate and its key.
    fn renew(&self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("cert.pem"), cert.pem()).unwrap();
        fs::write(self.path("key.pem"), signing_key.serialize_pem()).unwrap();
    }

    fn files(&self) -> TlsFiles {
        let (cert_file, key_file) = (Some(self.path("cert.pem")), Some(self.path("key.pem")));
        TlsFiles { cert_file, key_file }
    }

    /// A client that trusts the certificate of now and no other.
    fn client(&self) -> Client {
        let _ = ring::default_provider().install_default();
        let pem = fs::read(self.path("cert.pem")).unwrap();
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap()
    }
}

/// A server with a certificate that gives each connection so long; its port, and how it is stopped.
async fn started(certificate: &Certificate, within: Duration) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = watch::channel(false);
    let router = Router::new().route("/", get(async || "done"));
    tokio::spawn(serving(listener, router, Some(certificate.clone()), stopped, within));
    (port, stop)
}

async fn ask(client: &Client, port: u16) -> Result<String, reqwest::Error> {
    client.get(format!("https://localhost:{port}/")).send().await?.text().await
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_renewed_certificate_is_that_of_new_connections_and_open_ones_go_on() {
    let desk = Desk::new();
    let certificate = Certificate::read(&desk.files()).unwrap().unwrap();
    let (port, _stop) = started(&certificate, LONG).await;
    let old = desk.client();
    assert_eq!(ask(&old, port).await.unwrap(), "done");
    desk.renew();
    let new = desk.client();
    assert!(ask(&new, port).await.is_err(), "it was not read yet");
    certificate.read_again().unwrap();
    assert_eq!(ask(&new, port).await.unwrap(), "done");
    // Its connection is still open: another handshake would fail.
    assert_eq!(ask(&old, port).await.unwrap(), "done");
}

#[tokio::test]
async fn a_renewal_that_cannot_be_used_leaves_the_old_certificate() {
    let desk = Desk::new();
    let certificate = Certificate::read(&desk.files()).unwrap().unwrap();
    let (port, _stop) = started(&certificate, LONG).await;
    let client = desk.client();
    desk.renew();
    fs::write(desk.path("key.pem"), "").unwrap();
    certificate.read_again().unwrap_err();
    assert_eq!(ask(&client, port).await.unwrap(), "done");
}

#[tokio::test]
async fn what_does_not_speak_tls_gets_no_answer_and_is_closed() {
    let desk = Desk::new();
    let certificate = Certificate::read(&desk.files()).unwrap().unwrap();
    let (port, stop) = started(&certificate, Duration::from_millis(100)).await;
    for said in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", ""] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let closed = tokio::time::timeout(LONG, stream.read_to_end(&mut heard)).await;
        assert!(closed.expect("it is closed").is_ok(), "{said}");
        assert!(!heard.windows(4).any(|part| part == b"HTTP"), "{said}");
    }
    stop.send_replace(true);
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    let (desk, other) = (Desk::new(), Desk::new());
    fs::write(desk.path("empty.pem"), "").unwrap();
    fs::write(desk.path("cut.pem"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    let says = |cert: PathBuf, key: PathBuf| {
        let files = TlsFiles { cert_file: Some(cert), key_file: Some(key) };
        Certificate::read(&files).unwrap_err().to_string()
    };
    let (cert, key) = (desk.path("cert.pem"), desk.path("key.pem"));
    for (said, parts) in [
        (says(desk.path("none.pem"), key.clone()), ["certFile", "none.pem", "No such file"]),
        (says(cert.clone(), desk.path("none.pem")), ["keyFile", "none.pem", "No such file"]),
        (says(desk.path("empty.pem"), key.clone()), ["certFile", "empty.pem", "no certificate"]),
        (says(desk.path("cut.pem"), key), ["certFile", "cut.pem", "missing section end"]),
        (says(cert.clone(), cert.clone()), ["keyFile", "cert.pem", "no items found"]),
        (says(cert, other.path("key.pem")), ["cert.pem", "key.pem", "KeyMismatch"]),
    ] {
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(Certificate::read(&TlsFiles::default()).unwrap().is_none(), "plain HTTP");
}
