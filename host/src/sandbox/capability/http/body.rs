//! Bodies: the guest's, counted as it is sent, and the server's, handed over frame by frame.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use wasmtime_wasi_http::Error;

/// How many bytes of a request's body were over its limit, as far as was looked.
#[derive(Debug, Clone, Default)]
pub(super) struct Excess(Arc<AtomicU64>);

impl Excess {
    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|bytes| *bytes > 0)
    }
}

/// What the guest sends. Nothing beyond the limit leaves this machine.
pub(super) struct RequestBody {
    pub(super) inner: UnsyncBoxBody<Bytes, Error>,
    pub(super) bytes_left: u64,
    pub(super) trailer_bytes_max: usize,
    pub(super) excess: Excess,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
        let bytes = frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
        let trailers = frame.trailers_ref().map_or(0, super::target::bytes);
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            self.excess.0.store(bytes - self.bytes_left, Ordering::Release);
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))));
        };
        if trailers > self.trailer_bytes_max {
            return Poll::Ready(Some(Err(Error::HttpRequestTrailerSectionSize(None))));
        }
        self.bytes_left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What the server sends, as the guest reads it. Dropping it closes the connection.
pub(super) struct ResponseBody {
    pub(super) frames: mpsc::Receiver<Frame<Bytes>>,
    /// Sent before the last sender of frames is gone; a body that ends without it is cut short.
    pub(super) ending: oneshot::Receiver<Result<(), Error>>,
    pub(super) _exchange: Held,
    pub(super) ended: bool,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(frame) = ready!(self.frames.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        let ending = ready!(Pin::new(&mut self.ending).poll(cx));
        self.ended = true;
        match ending {
            Ok(Ok(())) => Poll::Ready(None),
            Ok(Err(error)) => Poll::Ready(Some(Err(error))),
            Err(_) => Poll::Ready(Some(Err(Error::HttpResponseIncomplete))),
        }
    }
}

/// An exchange that nobody waits for ends.
pub(super) struct Held(pub(super) AbortHandle);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}
