//! Limits the bodies of requests: the bytes that all requests together may buffer, and how long a body may be
//! silent. Drains the unread rest of a body.
//!
//! Promises: buffered bytes count until the request is dropped, and a body that would exceed the limit is
//! refused. A silent body ends only its own request. An unread rest is drained for at most [`DRAIN`], so that
//! the client can read the response.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::problem::{Code, Problem};
use crate::work::overloaded;

/// The longest time that the rest of an unread body is drained.
const DRAIN: Duration = Duration::from_secs(5);

/// The bytes that all requests together buffer, and their limits.
pub struct Bodies {
    buffered: AtomicUsize,
    most: usize,
    /// The longest time that a body may send nothing.
    silence: Duration,
}

/// The buffered bytes of one request; subtracted from the total when its last clone is dropped.
#[derive(Clone)]
pub struct Intake(Arc<IntakeState>);

struct IntakeState {
    bodies: Arc<Bodies>,
    taken: AtomicUsize,
    fault: OnceLock<Fault>,
}

/// The reason why reading a body failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Memory,
    Silence,
}

impl Bodies {
    /// Sets the largest number of buffered bytes and the longest silence.
    pub fn new(most: usize, silence: Duration) -> Arc<Self> {
        Arc::new(Self { buffered: AtomicUsize::new(0), most, silence })
    }

    /// Returns the number of buffered bytes.
    pub fn buffered(&self) -> usize {
        self.buffered.load(Ordering::Acquire)
    }

    /// Wraps a request's body to apply the limits; at most `drain` bytes of an unread rest are drained.
    pub fn watch(self: &Arc<Self>, request: Request, drain: usize) -> Request {
        let inner = IntakeState { bodies: self.clone(), taken: AtomicUsize::new(0), fault: OnceLock::new() };
        let intake = Intake(Arc::new(inner));
        // A client that waits for `100 Continue` has not sent its body, and does not send it after another
        // response.
        let asks = request.headers().contains_key(header::EXPECT);
        let mut request = request.map(|body| {
            let ended = body.is_end_stream();
            let silence = Box::pin(sleep(self.silence));
            Body::new(Watched { body, intake: intake.clone(), silence, ended, drain: if asks { 0 } else { drain } })
        });
        request.extensions_mut().insert(intake);
        request
    }
}

impl Intake {
    /// Counts more bytes; returns whether the total is still within the limit.
    fn take(&self, bytes: usize) -> bool {
        self.0.taken.fetch_add(bytes, Ordering::AcqRel);
        self.0.bodies.buffered.fetch_add(bytes, Ordering::AcqRel) + bytes <= self.0.bodies.most
    }

    fn fail(&self, fault: Fault) -> axum::Error {
        let fault = self.0.fault.get_or_init(|| fault);
        axum::Error::new(format!("{fault:?}"))
    }

    /// Returns the problem that ended the body, if one did.
    pub fn fault(&self) -> Option<Problem> {
        self.0.fault.get().map(|fault| match fault {
            Fault::Memory => overloaded(),
            Fault::Silence => Problem::new(Code::RequestTimeout, "the client sent no more bytes of the body"),
        })
    }
}

impl Drop for IntakeState {
    fn drop(&mut self) {
        self.bodies.buffered.fetch_sub(*self.taken.get_mut(), Ordering::AcqRel);
    }
}

/// A body whose bytes are counted while they are read.
struct Watched {
    body: Body,
    intake: Intake,
    silence: Pin<Box<Sleep>>,
    ended: bool,
    drain: usize,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let until = Instant::now() + self.intake.0.bodies.silence;
                self.silence.as_mut().reset(until);
                let fits = frame.data_ref().is_none_or(|data| self.intake.take(data.len()));
                Poll::Ready(Some(if fits { Ok(frame) } else { Err(self.intake.fail(Fault::Memory)) }))
            }
            Poll::Ready(end) => {
                self.ended = true;
                Poll::Ready(end)
            }
            Poll::Pending if self.silence.as_mut().poll(cx).is_ready() => {
                self.ended = true;
                Poll::Ready(Some(Err(self.intake.fail(Fault::Silence))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.ended || self.body.is_end_stream() || self.drain == 0 {
            return;
        }
        let mut rest = Limited::new(std::mem::take(&mut self.body), self.drain);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let away = async move { while let Some(Ok(_)) = rest.frame().await {} };
            runtime.spawn(async move { timeout(DRAIN, away).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(request: Request) -> (Result<usize, ()>, Intake) {
        let intake = request.extensions().get::<Intake>().unwrap().clone();
        let read = request.into_body().collect().await;
        (read.map(|body| body.to_bytes().len()).map_err(drop), intake)
    }

    #[tokio::test]
    async fn what_all_hold_together_is_bounded_and_given_back_with_the_answer() {
        let bodies = Bodies::new(100, Duration::from_secs(60));
        let of = |bytes: usize| bodies.watch(Request::new(Body::from(vec![0; bytes])), 0);
        let (first, body) = read(of(60)).await;
        assert_eq!((first, body.fault().is_none(), bodies.buffered()), (Ok(60), true, 60));
        let (second, refused) = read(of(60)).await;
        assert_eq!((second, refused.fault().unwrap().code()), (Err(()), Code::Overloaded));
        drop((body, refused));
        assert_eq!(bodies.buffered(), 0);
        assert_eq!(read(of(100)).await.0, Ok(100));
    }

    #[tokio::test]
    async fn a_body_that_falls_silent_is_ended() {
        let bodies = Bodies::new(100, Duration::from_millis(1));
        let request = bodies.watch(Request::new(Body::new(Silent)), 0);
        let (read, intake) = read(request).await;
        assert_eq!((read, intake.fault().unwrap().code()), (Err(()), Code::RequestTimeout));
    }

    /// A body that never sends a byte.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Pending
        }
    }
}
