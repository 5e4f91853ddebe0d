//! A server that answers as broken Prometheuses do, or stands before a real one and spoils some of
//! its answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What one request gets.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// What the real server says.
    Forward,
    /// A status, further headers (each with its line's end), and a body.
    Reply(u16, &'static str, &'static str),
    /// A body that ends before its announced length.
    Truncated(&'static str),
    /// The connection is closed without a word.
    Silence,
    /// Nothing, for so long.
    Wait(Duration),
}

/// A running server.
pub(crate) struct Faulty {
    pub(crate) url: String,
    address: String,
    stop: Arc<AtomicBool>,
}

type Plan = Arc<dyn Fn(usize, &[u8]) -> Answer + Send + Sync>;

impl Faulty {
    /// A server that answers every request alike.
    pub(crate) fn always(answer: Answer) -> Self {
        Self::before("", move |_| answer.clone())
    }

    /// A server before a real one; `plan` says what the nth request gets, counted from 0.
    pub(crate) fn before(
        upstream: &str,
        plan: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::judging(upstream, move |nth, _| plan(nth))
    }

    /// The same by what is asked: `plan` is given the request with its body, too.
    pub(crate) fn judging(
        upstream: &str,
        plan: impl Fn(usize, &[u8]) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let (stopped, plan): (_, Plan) = (stop.clone(), Arc::new(plan));
        std::thread::spawn(move || {
            let count = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (plan, count, upstream) = (plan.clone(), count.clone(), upstream.clone());
                std::thread::spawn(move || serve(stream, &upstream, &plan, &count));
            }
        });
        Self { url: format!("http://{address}"), address, stop }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
    }
}

/// Answers one request and hangs up.
fn serve(mut stream: TcpStream, upstream: &str, plan: &Plan, count: &AtomicUsize) -> Option<()> {
    let request = request(&mut stream)?;
    let answer = match plan(count.fetch_add(1, Ordering::Relaxed), &request) {
        Answer::Forward => forward(&request, upstream)?,
        Answer::Reply(status, headers, body) => {
            let length = body.len();
            format!("HTTP/1.1 {status} Any\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .into_bytes()
        }
        Answer::Truncated(body) => {
            let length = body.len() + 100;
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
        }
        Answer::Silence => return None,
        Answer::Wait(pause) => {
            std::thread::sleep(pause);
            return None;
        }
    };
    stream.write_all(&answer).ok()
}

/// A request with its body.
fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(read);
        }
    }
}

fn forward(request: &[u8], upstream: &str) -> Option<Vec<u8>> {
    let mut real = TcpStream::connect(upstream).ok()?;
    let text = String::from_utf8_lossy(request);
    let (line, rest) = text.split_once("\r\n")?;
    real.write_all(format!("{line}\r\nConnection: close\r\n{rest}").as_bytes()).ok()?;
    let mut answer = Vec::new();
    real.read_to_end(&mut answer).ok()?;
    Some(answer)
}
