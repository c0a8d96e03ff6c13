//! A server that is as good or bad as a case needs it.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What one connection gets, once its request is there.
pub enum Reply {
    /// This, and the end.
    Whole(String),
    /// This, and then nothing until the other side closes.
    Hold(String),
    /// The first once, the second again and again until the other side closes.
    Endless(String, String),
}

pub fn ok(body: &str) -> Reply {
    Reply::Whole(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[derive(Default, Clone, Copy, Debug)]
pub struct Counts {
    /// Requests that came in whole.
    pub requests: usize,
    /// Connections that are gone, with or without a request.
    pub closed: usize,
}

pub struct Server {
    pub port: u16,
    pub counts: watch::Receiver<Counts>,
    requests: Arc<Mutex<Vec<String>>>,
}

type Answer = dyn Fn(&str) -> Reply + Send + Sync;

impl Server {
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Server::at("127.0.0.1:0", None, answer).await
    }

    pub async fn tls(tls: TlsAcceptor, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Server::at("127.0.0.1:0", Some(tls), answer).await
    }

    pub async fn at(
        address: &str,
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (changes, counts) = watch::channel(Counts::default());
        let (changes, requests, answer): (_, Arc<Mutex<Vec<String>>>, Arc<Answer>) =
            (Arc::new(changes), Arc::default(), Arc::new(answer));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, changes, seen, answer) =
                    (tls.clone(), changes.clone(), seen.clone(), answer.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &changes, &seen, &*answer).await;
                            }
                        }
                        None => serve(stream, &changes, &seen, &*answer).await,
                    }
                    changes.send_modify(|counts| counts.closed += 1);
                });
            }
        });
        Server { port, counts, requests }
    }

    /// What came in, head and body, as it was.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub async fn until(&self, reached: impl FnMut(&Counts) -> bool) {
        let mut counts = self.counts.clone();
        // Far more than any case takes; one that would wait for ever says where.
        let waited = tokio::time::timeout(Duration::from_secs(60), counts.wait_for(reached)).await;
        assert!(waited.is_ok_and(|reached| reached.is_ok()), "still {:?}", self.counts.borrow());
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    changes: &watch::Sender<Counts>,
    seen: &Mutex<Vec<String>>,
    answer: &Answer,
) {
    let Some(request) = read(&mut stream).await else { return };
    seen.lock().unwrap().push(request.clone());
    changes.send_modify(|counts| counts.requests += 1);
    match answer(&request) {
        Reply::Whole(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hold(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.flush().await;
            while stream.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {}
        }
        Reply::Endless(first, rest) => {
            let mut written = stream.write_all(first.as_bytes()).await;
            while written.is_ok() {
                written = stream.write_all(rest.as_bytes()).await;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// One request, or nothing when the other side goes first.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let whole = match length {
                Some(length) => body.len() >= length,
                None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
            };
            if whole {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
