use super::checked::spelled;
use super::{Beyond, MadeRequest, Playback};
use crate::sandbox::capability::http::address::is_allowed;
use crate::sandbox::capability::http::body::RequestBody;
use crate::sandbox::capability::http::exchange::{Answer, Exchange};
use crate::sandbox::capability::http::failure::Failure;
use crate::sandbox::grants::{Grants, Origin};
use bytes::Bytes;
use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Requests beyond these are counted, not kept: those that are denied cost a guest next to nothing.
const REQUESTS_KEPT_MAX: usize = 1000;
/// Longer URLs are cut where they are kept.
const URL_BYTES_MAX: usize = 2048;
/// Bodies are handed over in pieces, as a connection would.
const CHUNK_BYTES: usize = 16 * 1024;

/// One request, where there is a recording.
#[derive(Debug, Clone)]
pub(in crate::sandbox::capability::http) struct Asked {
    playback: Arc<Playback>,
    method: Method,
    url: String,
    /// Its place among those that are kept.
    at: Option<usize>,
}

/// What answers a request.
#[derive(Debug)]
pub(in crate::sandbox::capability::http) struct Played {
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

impl Asked {
    /// Notes a request, as it is before anything is checked. `origin` is where it leads, if that can be told.
    pub(in crate::sandbox::capability::http) fn of<T>(
        playback: &Arc<Playback>,
        request: &Request<T>,
        origin: Option<&Origin>,
    ) -> Self {
        let uri = request.uri();
        let url = origin.map_or_else(|| uri.to_string(), |origin| spelled(origin, uri));
        let method = request.method().clone();
        let shown = url[..url.floor_char_boundary(URL_BYTES_MAX)].to_owned();
        let made = MadeRequest { method: method.to_string(), url: shown, status: None, error: None };
        let mut told = playback.told();
        told.count += 1;
        let at = (told.kept.len() < REQUESTS_KEPT_MAX).then_some(told.kept.len());
        told.kept.extend(at.map(|_| made));
        drop(told);
        Asked { playback: playback.clone(), method, url, at }
    }

    /// The answer whose turn it is; `None` sends the request out.
    pub(in crate::sandbox::capability::http) fn answer(&self) -> Result<Option<Played>, Failure> {
        let Asked { playback, method, url, .. } = self;
        match (playback.choose(method, url), &playback.beyond) {
            (Some(chosen), _) => {
                // To a HEAD there is no body, whatever was recorded.
                let body = if method == Method::HEAD { Bytes::new() } else { chosen.body.clone() };
                Ok(Some(Played { head: chosen.head.clone(), body }))
            }
            (None, Beyond::Network) => Ok(None),
            (None, Beyond::Failure(advice)) => {
                let shown = &url[..url.floor_char_boundary(URL_BYTES_MAX)];
                let why = format!("no answer is recorded for {method} {shown}: {advice}");
                Err(Failure::internal(why))
            }
        }
    }

    pub(in crate::sandbox::capability::http) fn answered(&self, status: StatusCode) {
        self.note(|made| made.status = Some(status.as_u16()));
    }

    pub(in crate::sandbox::capability::http) fn failed(&self, why: &str) {
        self.note(|made| made.error = Some(why.to_owned()));
    }

    fn note(&self, note: impl FnOnce(&mut MadeRequest)) {
        let mut told = self.playback.told();
        if let Some(made) = self.at.and_then(|at| told.kept.get_mut(at)) {
            note(made);
        }
    }
}

impl Exchange {
    /// Is the server: reads the request to its end, and answers.
    pub(in crate::sandbox::capability::http) async fn play(
        &self,
        played: Played,
        mut asked: RequestBody,
        answer: &mut Answer,
        deadline: Instant,
    ) -> Result<(), Failure> {
        of_this_machine(&self.origin, &self.grants)?;
        loop {
            let frame = timeout_at(deadline, asked.frame()).await.map_err(|_| self.too_slow(true))?;
            match frame {
                None => break,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Failure::new(error, "its body broke off")),
            }
        }
        let Played { head, mut body } = played;
        let bytes = body.len() as u64;
        if bytes > self.limits.http_response_bytes_max {
            return Err(self.too_large(bytes));
        }
        if !self.begin(head, answer) {
            return Ok(());
        }
        while !body.is_empty() {
            let chunk = body.split_to(body.len().min(CHUNK_BYTES));
            let handed = timeout_at(deadline, answer.frames.send(Frame::data(chunk))).await;
            if handed.map_err(|_| self.too_slow(true))?.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What looking the name up would have refused, of the names that everybody knows (RFC 6761, section 6.3).
fn of_this_machine(origin: &Origin, grants: &Grants) -> Result<(), Failure> {
    let is_local = origin.host == "localhost" || origin.host.ends_with(".localhost");
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if is_local && !is_allowed(address, &grants.private_addresses) {
        return Err(Failure::not_public(address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::capability::http::target;

    #[test]
    fn what_fits_nothing_goes_out_or_fails_by_name() {
        let none = |beyond| Arc::new(Playback::new(Vec::new(), beyond).unwrap());
        let request = Request::builder().uri("https://a.test/x").body(()).unwrap();
        let origin = target::origin(request.uri()).unwrap();
        let asked = |playback: &Arc<Playback>| Asked::of(playback, &request, Some(&origin));
        assert!(asked(&none(Beyond::Network)).answer().unwrap().is_none());
        let failure = asked(&none(Beyond::Failure("record one".into()))).answer().unwrap_err();
        assert_eq!(failure.why, "no answer is recorded for GET https://a.test/x: record one");
    }

    #[test]
    fn localhost_is_what_its_address_is() {
        let public = Grants::default();
        let private_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        let private = Grants { private_addresses, ..Grants::default() };
        for (url, is_local) in [
            ("http://localhost:8080/", true),
            ("https://LocalHost/", true),
            ("http://a.b.localhost/", true),
            ("https://notlocalhost/", false),
            ("https://localhost.example.com/", false),
        ] {
            let origin = target::origin(&url.parse().unwrap()).unwrap();
            let refused = of_this_machine(&origin, &public).err().map(|failure| failure.why);
            assert_eq!(refused.is_some_and(|why| why.starts_with("127.0.0.1 is not")), is_local, "{url}");
            assert!(of_this_machine(&origin, &private).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_guest_that_asks_without_end_fills_no_memory() {
        let playback = Arc::new(Playback::new(Vec::new(), Beyond::Network).unwrap());
        let request =
            Request::builder().uri(format!("https://a.test/{}", "x".repeat(9000))).body(()).unwrap();
        (0..1100).for_each(|_| Asked::of(&playback, &request, None).failed("no"));
        let requests = playback.requests();
        assert_eq!((playback.count(), requests.len(), requests[0].url.len()), (1100, 1000, 2048));
    }
}
