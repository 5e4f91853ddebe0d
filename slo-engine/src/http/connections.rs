//! Takes connections, with TLS where there is a certificate: nobody keeps one without asking anything,
//! and all are ended in order.

use std::time::Duration;

use std::convert::Infallible;

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::front::Front;
use super::tls::Certificate;

/// Who has a connection asks within this. Without a limit, a thousand that say nothing would keep
/// everybody else out.
const ASKS_WITHIN: Duration = Duration::from_secs(30);

/// After a connection could not be taken, as when there are too many.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop` is set, and then until the last answer is given.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    certificate: Option<Certificate>,
    stop: watch::Receiver<bool>,
) {
    serving(listener, front, certificate, stop, ASKS_WITHIN).await;
}

pub(super) async fn serving<S: Answers>(
    listener: TcpListener,
    answers: S,
    certificate: Option<Certificate>,
    mut stop: watch::Receiver<bool>,
    asks_within: Duration,
) where
    S::Future: Send,
{
    // To tell HTTP/2 from HTTP/1 one would have to wait for the first bytes.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(asks_within);
    let all = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            stream = taken(&listener) => stream,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let talk = Talk { builder: builder.clone(), answers: answers.clone(), ends: all.watcher() };
        match &certificate {
            None => drop(tokio::spawn(talk.over(stream))),
            Some(certificate) => {
                let acceptor = TlsAcceptor::from(certificate.current());
                tokio::spawn(talk.greeted(acceptor, stream, asks_within));
            }
        }
    }
    all.shutdown().await;
}

/// What answers requests.
pub(super) trait Answers:
    Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static
{
}

/// What a connection needs.
struct Talk<S> {
    builder: Builder<TokioExecutor>,
    answers: S,
    /// Tells it to end.
    ends: Watcher,
}

impl<S: Answers> Talk<S>
where
    S::Future: Send,
{
    /// After a handshake, which may take no longer than a question.
    async fn greeted(self, acceptor: TlsAcceptor, stream: TcpStream, within: Duration) {
        match tokio::time::timeout(within, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.over(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection did not become one of TLS"),
            Err(_) => tracing::debug!("a connection did not become one of TLS in time"),
        }
    }

    async fn over(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let service = TowerToHyperService::new(self.answers);
        let connection = self.builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = self.ends.watch(connection).await {
            tracing::debug!(error, "a connection broke off");
        }
    }
}

async fn taken(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::error!(%error, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that answers after a while, where it listens, and how it is stopped.
    async fn started(asks_within: Duration) -> (String, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = watch::channel(false);
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let router = Router::new().route("/slow", get(slow));
        tokio::spawn(serving(listener, router, None, stopped, asks_within));
        (address, stop)
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut text));
        read.await.expect("it is closed").unwrap();
        text
    }

    #[tokio::test]
    async fn a_connection_that_does_not_ask_in_time_is_closed_and_one_that_waits_for_its_answer_is_not()
     {
        let (address, _stop) = started(Duration::from_millis(100)).await;
        for begun in ["", "GET /slow HTTP/1.1\r\nhost: a\r\nx: "] {
            let began = Instant::now();
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            rest(stream).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{begun}");
        }
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(rest(stream).await.ends_with("done"));
    }

    #[tokio::test]
    async fn a_stop_lets_the_answer_that_is_under_way_be_given() {
        let (address, stop) = started(Duration::from_secs(30)).await;
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send_replace(true);
        assert!(rest(stream).await.ends_with("done"));
        assert!(TcpStream::connect(&address).await.is_err(), "nobody listens any more");
    }
}
