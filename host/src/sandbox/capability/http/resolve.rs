use async_trait::async_trait;
use std::io::Error;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Look-ups of the system that may be under way at once. They cannot be called off, so more wait.
const LOOKUPS_MAX: usize = 32;

/// Where the addresses of a host come from. It is asked once for each request; what it answers is checked,
/// and what is checked is dialled.
#[async_trait]
pub trait Resolve: std::fmt::Debug + Send + Sync {
    /// All addresses of a name, in the order in which to try them. Dropped when the request's time is up.
    ///
    /// # Errors
    /// When the name is not known, or nobody can tell now.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Error>;
}

/// The system's own way: the hosts file, DNS, whatever it is set to.
#[derive(Debug)]
pub(super) struct System(Arc<Semaphore>);

impl Default for System {
    fn default() -> Self {
        System(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        let place = self.0.clone().acquire_owned().await.map_err(Error::other)?;
        let host = host.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            let _place = place;
            (host.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(Error::other)?
    }
}
