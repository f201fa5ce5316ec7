//! Inference, on as many threads as there are cores, behind a bounded queue.
//!
//! Promises: at most `cores` pieces of work run and at most twice as many wait; the next is refused
//! at once. A panic in one is an error of that one. Each running piece has its own buffers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use likeness::engine::Scratch;
use likeness::image::DecodeError;
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// Waiting pieces of work for each core.
const QUEUE: usize = 2;

/// The workers.
#[derive(Clone)]
pub struct Work(Arc<Inner>);

struct Inner {
    cores: usize,
    running: Arc<Semaphore>,
    /// Running and waiting.
    admitted: AtomicUsize,
    buffers: Mutex<Vec<Scratch>>,
}

/// A place in the queue, given back when dropped.
struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Work {
    /// For this many cores.
    pub fn new(cores: usize) -> Self {
        let (running, admitted) = (Arc::new(Semaphore::new(cores)), AtomicUsize::new(0));
        Self(Arc::new(Inner { cores, running, admitted, buffers: Mutex::default() }))
    }

    /// How many run and wait.
    pub fn admitted(&self) -> usize {
        self.0.admitted.load(Ordering::Acquire)
    }

    /// How many may run and wait.
    pub fn capacity(&self) -> usize {
        self.0.cores * (1 + QUEUE)
    }

    /// Whether another piece of work would be refused now.
    pub fn full(&self) -> bool {
        self.admitted() >= self.capacity()
    }

    /// Does a piece of work. It goes on to its end even where nobody waits for it any more.
    ///
    /// # Errors
    /// What the work itself answers, or `OVERLOADED`.
    pub async fn run<T: Send + 'static>(
        &self,
        piece: impl FnOnce(&mut Scratch) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.enter()?;
        let running = self.0.running.clone().acquire_owned().await.map_err(|why| Problem::internal(&why))?;
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, even where the caller has gone.
            let _held = (place, running);
            let mut scratch = inner.take();
            let answer = piece(&mut scratch);
            inner.give_back(scratch);
            answer
        });
        done.await.map_err(|why| {
            if why.is_panic() {
                counted_panic("work");
            }
            Problem::internal(&why)
        })?
    }

    fn enter(&self) -> Result<Place, Problem> {
        let before = self.0.admitted.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.0.clone());
        if before < self.capacity() { Ok(place) } else { Err(overloaded()) }
    }
}

/// Counts a panic that was caught, by what was done then.
pub fn counted_panic(during: &'static str) {
    metrics::counter!("likeness_panics_total", "during" => during).increment(1);
}

/// Counts a decoder's panic, which the library has made an error of the photograph.
pub fn count_decoder_panic(why: &DecodeError) {
    if matches!(why, DecodeError::CodecFailed(_)) {
        counted_panic("decode");
    }
}

/// More work than this machine has cores for.
pub fn overloaded() -> Problem {
    Problem::new(Code::Overloaded, "every core is busy and the queue is full; ask again")
}

impl Inner {
    fn take(&self) -> Scratch {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, scratch: Scratch) {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_queue_is_refused_and_a_panic_harms_nobody_else() {
        let work = Work::new(1);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let busy: Vec<_> = (0..3)
            .map(|_| {
                let (work, wait) = (work.clone(), wait.clone());
                tokio::spawn(async move {
                    work.run(move |_| {
                        let _ = wait.lock().unwrap().recv();
                        Ok(())
                    })
                    .await
                })
            })
            .collect();
        while !work.full() {
            tokio::task::yield_now().await;
        }
        let refused = work.run(|_| Ok(())).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        drop(go);
        for task in busy {
            task.await.unwrap().unwrap();
        }
        let broken = work.run(|_| -> Result<(), Problem> { panic!("a bad image") }).await.unwrap_err();
        assert_eq!((broken.code(), work.admitted()), (Code::InternalServerError, 0));
        assert_eq!(work.run(|_| Ok(7)).await.unwrap(), 7);
    }
}
