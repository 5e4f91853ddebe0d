//! Servers that answer as broken ones do, or stand before a real node and change what is asked of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running server; its thread ends with the process.
pub(crate) struct Fake {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// A server that has each request answered by `answer`, which may write what it likes.
    pub(crate) fn new(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(request) = request(&mut stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    answer(&request, &mut stream);
                });
            }
        });
        Self { url, requests }
    }

    /// A server with one answer: a status, further headers (each with its line's end), a body.
    pub(crate) fn always(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Any\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        Self::new(move |_, stream| send(stream, answer.as_bytes()))
    }

    /// A server that writes the same bytes after the head of an answer for ever, with a pause between.
    pub(crate) fn endless(bytes: &'static [u8], pause: Duration) -> Self {
        Self::new(move |_, stream| {
            send(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let head = format!("{:x}\r\n", bytes.len());
            while stream.write_all(&[head.as_bytes(), bytes, b"\r\n"].concat()).is_ok() {
                std::thread::sleep(pause);
            }
        })
    }

    /// A server before a real node that changes the requests on their way.
    pub(crate) fn before(
        url: &str,
        change: impl Fn(String) -> String + Send + Sync + 'static,
    ) -> Self {
        let upstream = url.trim_start_matches("http://").to_owned();
        Self::new(move |request, stream| {
            let mut real = TcpStream::connect(&upstream).unwrap();
            let (line, rest) = request.split_once("\r\n").unwrap();
            let closing = format!("{line}\r\nconnection: close\r\n{rest}");
            // A node that refuses a request may hang up before it has read it.
            send(&mut real, change(closing).as_bytes());
            let (mut answer, mut buffer) = (Vec::new(), [0; 65_536]);
            while let Ok(count @ 1..) = real.read(&mut buffer) {
                answer.extend_from_slice(&buffer[..count]);
            }
            send(stream, &answer);
        })
    }

    /// The requests so far, each with its head.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A client that hung up is none of our business.
fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// A request with its body.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut read, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}
