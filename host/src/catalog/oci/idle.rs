use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream that fails once no byte has moved for too long, in whichever direction.
pub(super) struct Watched<S> {
    stream: S,
    idle_max: Duration,
    silence: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, idle_max: Duration) -> Self {
        Watched { stream, idle_max, silence: Box::pin(sleep(idle_max)) }
    }

    /// What moved, or the failure when it is time for it.
    fn watch<T>(&mut self, moved: Poll<Result<T, Error>>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        if moved.is_ready() {
            let next = Instant::now() + self.idle_max;
            self.silence.as_mut().reset(next);
            return moved;
        }
        ready!(self.silence.as_mut().poll(cx));
        let why = format!("nothing came or went for {:?}", self.idle_max);
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watch(moved, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(moved, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
