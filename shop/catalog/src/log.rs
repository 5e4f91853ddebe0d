//! The one output of the process: log lines go through a thread of their own to a file or stdout.
//!
//! A slow output never slows a request: lines beyond the queue are dropped and counted.

mod line;

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(crate) use line::{AccessLine, FaultLine, Head, ServiceLine};

/// Lines that may wait for the output: about ten seconds at 5,000 requests a second.
const QUEUE: usize = 50_000;

/// How long the end of the process waits for the output.
const PATIENCE: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    Close,
}

/// Takes log lines; clones write to the same output.
#[derive(Debug, Clone)]
pub struct Log {
    sender: SyncSender<Message>,
    dropped: Counter,
}

/// The thread behind a [`Log`].
#[derive(Debug)]
pub struct LogWriter {
    sender: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Log {
    /// Starts writing to `output`; lost lines are counted in `dropped`.
    pub fn start(output: Box<dyn Write + Send>, dropped: Counter) -> (Self, LogWriter) {
        let (sender, receiver) = sync_channel(QUEUE);
        let lost = dropped.clone();
        let thread = std::thread::spawn(move || write_all(&receiver, output, &lost));
        (Self { sender: sender.clone(), dropped }, LogWriter { sender, thread })
    }

    pub(crate) fn write(&self, line: &impl Serialize) {
        let mut bytes = serde_json::to_vec(line).expect("log lines are texts and numbers");
        bytes.push(b'\n');
        if self.sender.try_send(Message::Line(bytes)).is_err() {
            self.dropped.inc();
        }
    }
}

impl LogWriter {
    /// Writes what is queued and ends the thread; an output that is stuck is left behind.
    pub async fn close(self) {
        let (done, finished) = oneshot::channel();
        std::thread::spawn(move || {
            if self.sender.send(Message::Close).is_ok() {
                let _ = self.thread.join();
            }
            let _ = done.send(());
        });
        // an error means that the output did not take its lines in time: they are lost
        let _ = timeout(PATIENCE, finished).await;
    }
}

fn write_all(receiver: &Receiver<Message>, output: Box<dyn Write + Send>, lost: &Counter) {
    let mut output = BufWriter::new(output);
    while let Ok(Message::Line(first)) = receiver.recv() {
        let mut next = Some(first);
        while let Some(line) = next {
            if output.write_all(&line).is_err() {
                lost.inc();
            }
            next = match receiver.try_recv() {
                Ok(Message::Line(line)) => Some(line),
                Ok(Message::Close) => {
                    let _ = output.flush();
                    return;
                }
                Err(_) => None,
            };
        }
        if output.flush().is_err() {
            lost.inc();
        }
    }
}

/// The output that the configuration names: the file, opened for appending, or standard output.
pub(crate) fn output(file: Option<&Path>) -> io::Result<Box<dyn Write + Send>> {
    match file {
        Some(path) => Ok(Box::new(OpenOptions::new().create(true).append(true).open(path)?)),
        None => Ok(Box::new(io::stdout())),
    }
}

/// Words for people and scripts, on stderr: stdout holds JSON lines only.
pub fn say(text: &str) {
    // whoever closed stderr does not want to know
    let _ = writeln!(io::stderr(), "shop-catalog: {text}");
}
