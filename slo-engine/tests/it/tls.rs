//! The server with a certificate of its own, as a process: HTTPS, and a renewal while it runs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::support::lab::{REQUESTS, service, slo};

/// A server that is killed with this value.
struct Running {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Running {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("slos")).unwrap();
        let slos = service(&slo("requests", REQUESTS));
        std::fs::write(folder.path().join("slos/shop.yaml"), slos).unwrap();
        renew(folder.path());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_slo-engine"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEADROOM")) {
            command.env_remove(name);
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.arg("serve").current_dir(folder.path());
        command.env("HEADROOM__SERVER__LISTEN", format!("127.0.0.1:{port}"));
        command.env("HEADROOM__SERVER__TLS__CERTFILE", "cert.pem");
        command.env("HEADROOM__SERVER__TLS__KEYFILE", "key.pem");
        command.env("HEADROOM__SPECS__WATCH", "false").env("HEADROOM__SCHEDULE__TICK", "1s");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        Self { child, folder, url: format!("https://localhost:{port}") }
    }

    /// Waits until `/readyz`, asked by a client that trusts the certificate of now alone, is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let said = self.ask().await;
            if let Ok(ready) = &said
                && is_so(ready)
            {
                return ready.clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "not in 30 s: {what}; {said:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ask(&self) -> Result<Value, reqwest::Error> {
        let pem = std::fs::read(self.folder.path().join("cert.pem")).unwrap();
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
        let client = client.timeout(Duration::from_secs(5)).build().unwrap();
        client.get(format!("{}/readyz", self.url)).send().await?.json().await
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn renew(folder: &Path) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_by_a_signal_and_one_that_cannot_be_used_is_said() {
    let running = Running::new();
    running.until("it answers by TLS", |ready| ready["status"] == "ready").await;
    renew(running.folder.path());
    running.hang_up();
    running.until("the new certificate", |ready| ready["status"] == "ready").await;
    std::fs::write(running.folder.path().join("key.pem"), "no key").unwrap();
    running.hang_up();
    let said = running.until("what is wrong", |ready| ready["files"].is_string()).await;
    assert!(said["files"].as_str().unwrap().contains("server.tls.keyFile key.pem"), "{said}");
    let log = std::fs::read_to_string(running.folder.path().join("log")).unwrap();
    assert!(log.contains("listening on https://127.0.0.1:"), "{log}");
    assert!(log.contains("the old certificate stays"), "{log}");
}
