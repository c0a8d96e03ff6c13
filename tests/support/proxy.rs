//! A wire to the database that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes between its own port and a server's. While it is cut, connections end and new ones are
/// refused by being closed at once.
pub struct Proxy {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    /// Connections that are older than this pass nothing any more.
    forgotten: watch::Sender<usize>,
    refused: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, watched) = watch::channel(true);
        let refused = Arc::new(AtomicUsize::new(0));
        let forgotten = watch::Sender::new(0);
        let wire = Wire { server, whole: watched, forgotten: forgotten.subscribe() };
        tokio::spawn(accept(listener, wire, refused.clone()));
        Proxy { address, whole, forgotten, refused }
    }

    /// The URL with this proxy's address in the place of the server's.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}{}/{path}", self.address)
    }

    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// Forgets the connections there are, as a firewall does: nobody is told, and nothing comes through.
    /// New ones work.
    pub fn forget(&self) {
        self.forgotten.send_modify(|age| *age += 1);
    }

    /// How many connections were refused so far.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

/// Where a URL's server listens.
pub fn server_of(url: &str) -> SocketAddr {
    let authority = url.split("://").nth(1).unwrap().split('/').next().unwrap();
    let host = authority.rsplit('@').next().unwrap();
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
    std::net::ToSocketAddrs::to_socket_addrs(&with_port).unwrap().next().unwrap()
}

#[derive(Clone)]
struct Wire {
    server: SocketAddr,
    whole: watch::Receiver<bool>,
    forgotten: watch::Receiver<usize>,
}

async fn accept(listener: TcpListener, wire: Wire, refused: Arc<AtomicUsize>) {
    while let Ok((client, _)) = listener.accept().await {
        if *wire.whole.borrow() {
            tokio::spawn(pass(client, wire.clone()));
        } else {
            refused.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn pass(mut client: TcpStream, mut wire: Wire) {
    let Ok(mut server) = TcpStream::connect(wire.server).await else { return };
    let age = *wire.forgotten.borrow();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = wire.whole.wait_for(|whole| !whole) => return,
        _ = wire.forgotten.wait_for(|forgotten| *forgotten > age) => {}
    }
    // Both ends stay open, so that neither hears of it.
    let _ = wire.whole.wait_for(|whole| !whole).await;
}
