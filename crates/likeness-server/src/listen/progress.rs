//! A connection that ends if its client does not take what is written.
//!
//! Promises: while bytes wait to be written, the client must take at least [`LEAST`] within each period. If the client
//! takes fewer, the connection ends, and the kernel drops the bytes that it still had to send.

use std::future::Future as _;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The number of bytes that a client must take within each period.
const LEAST: usize = 16 << 10;

/// A connection with a deadline on the progress of its writes.
pub struct Progress {
    stream: TcpStream,
    period: Duration,
    /// Set while bytes wait.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The number of bytes written since the last restart.
    written: usize,
}

impl Progress {
    /// Wraps a connection whose client must take [`LEAST`] bytes within each period.
    pub fn new(stream: TcpStream, period: Duration) -> Self {
        Self { stream, period, deadline: None, written: 0 }
    }

    fn note(&mut self, cx: &mut Context<'_>, write: Poll<Result<usize>>) -> Poll<Result<usize>> {
        match write {
            Poll::Ready(Ok(bytes)) => {
                self.written += bytes;
                if self.written >= LEAST {
                    self.restart();
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(fault) => Poll::Ready(fault),
            Poll::Pending => {
                let period = self.period;
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(period)));
                if deadline.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let _ = self.stream.set_zero_linger();
                metrics::counter!("likeness_connections_stalled_total").increment(1);
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client reads nothing")))
            }
        }
    }

    fn restart(&mut self) {
        (self.deadline, self.written) = (None, 0);
    }
}

impl AsyncWrite for Progress {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Restarts the count: the kernel has taken all bytes.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.restart();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Progress {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Writes more than the kernel buffers, to a client that reads as `read` does; returns the result.
    async fn written<R: Future<Output = TcpStream> + Send + 'static>(read: fn(TcpStream) -> R) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let reading = tokio::spawn(read(client));
        let mut progress = Progress::new(stream, Duration::from_millis(50));
        let written = progress.write_all(&vec![1; 64 << 20]).await;
        // The client would continue to read the bytes that the kernel has buffered.
        reading.abort();
        written
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_or_too_little_is_left_and_one_that_reads_gets_everything() {
        let nothing = written(|client| async { client }).await;
        let little = written(|mut client| async {
            let mut byte = [0];
            while client.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            client
        });
        let little = little.await;
        let everything = written(|mut client| async {
            let mut bytes = vec![0; 1 << 20];
            while client.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
            client
        });
        let kinds = [nothing, little, everything.await].map(|end| end.map_err(|why| why.kind()));
        assert_eq!(kinds, [Err(ErrorKind::TimedOut), Err(ErrorKind::TimedOut), Ok(())]);
    }
}
