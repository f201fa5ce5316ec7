//! Inference, on as many threads as there are cores, behind a bounded queue.
//!
//! Promises: at most `cores` pieces of work run. A bounded number waits, each for a bounded time; what finds no place or
//! waits too long is refused. A panic in one is an error of that one. Each running piece has its own buffers, and large
//! ones go back to the system with their piece.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use likeness::engine::Scratch;
use likeness::image::DecodeError;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::problem::{Code, Problem};
use crate::trail::Trail;

/// Waiting pieces of work for each core.
const QUEUE: usize = 15;

/// Bytes of buffers that a worker keeps for the next piece: a photograph of 600 x 800 in DeepFace's look.
const KEPT: usize = 64 << 20;

/// The workers.
#[derive(Clone)]
pub struct Work(Arc<Workers>);

struct Workers {
    cores: usize,
    /// A piece of work waits at most so long for a core.
    wait: Duration,
    running: Arc<Semaphore>,
    /// Running and waiting.
    admitted: AtomicUsize,
    buffers: Mutex<Vec<Scratch>>,
}

/// A place in the queue, given back when dropped.
struct QueueSlot(Arc<Workers>);

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Work {
    /// For this many cores; a piece waits at most so long for one of them.
    pub fn new(cores: usize, wait: Duration) -> Self {
        let (running, admitted) = (Arc::new(Semaphore::new(cores)), AtomicUsize::new(0));
        Self(Arc::new(Workers { cores, wait, running, admitted, buffers: Mutex::default() }))
    }

    /// How many run and wait.
    pub fn admitted(&self) -> usize {
        self.0.admitted.load(Ordering::Acquire)
    }

    /// How many run at once.
    pub fn cores(&self) -> usize {
        self.0.cores
    }

    /// How many may run and wait.
    pub fn capacity(&self) -> usize {
        self.0.cores * (1 + QUEUE)
    }

    /// Whether another piece of work would be refused now.
    pub fn full(&self) -> bool {
        self.admitted() >= self.capacity()
    }

    /// Runs a piece of work to its end, even if no caller waits for it any more.
    ///
    /// # Errors
    /// What the work itself answers, or `OVERLOADED`.
    pub async fn run<T: Send + 'static>(
        &self,
        piece: impl FnOnce(&mut Scratch) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (place, entered) = (self.enter()?, Instant::now());
        let running = timeout(self.0.wait, self.0.running.clone().acquire_owned()).await;
        let running = running.map_err(|_| busy(self.0.wait))?.map_err(|why| Problem::internal(&why))?;
        metrics::histogram!("likeness_queue_wait_seconds").record(entered.elapsed().as_secs_f64());
        let (inner, trail) = (self.0.clone(), Trail::current());
        let done = tokio::task::spawn_blocking(move || {
            // Kept to the end of the work, even where the caller has gone.
            let _kept = (place, running);
            let mut scratch = inner.take();
            let answer = trail.within(|| piece(&mut scratch));
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

    fn enter(&self) -> Result<QueueSlot, Problem> {
        let before = self.0.admitted.fetch_add(1, Ordering::AcqRel);
        let place = QueueSlot(self.0.clone());
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

/// No core became free in time.
fn busy(wait: Duration) -> Problem {
    let seconds = wait.as_secs_f64();
    Problem::new(Code::Overloaded, format!("no core became free within {seconds} s (QUEUE_WAIT_SECONDS); ask again"))
}

/// More requests than may wait, or more bytes than their bodies may take together.
pub fn overloaded() -> Problem {
    Problem::new(Code::Overloaded, "every core is busy and the queue is full; ask again")
}

impl Workers {
    fn take(&self) -> Scratch {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, mut scratch: Scratch) {
        scratch.release_beyond(KEPT);
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_queue_is_refused_and_a_panic_harms_no_other_request() {
        let work = Work::new(1, Duration::from_secs(600));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let busy: Vec<_> = (0..work.capacity())
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

    #[tokio::test]
    async fn a_piece_waits_for_a_core_and_no_longer_than_the_setting_says() {
        let (brief, work) = (Work::new(1, Duration::from_millis(20)), Work::new(1, Duration::from_secs(600)));
        let (end, stuck) = std::sync::mpsc::channel::<()>();
        let queue = brief.clone();
        let running = tokio::spawn(async move { queue.run(move |_| Ok(stuck.recv().is_ok())).await });
        while brief.admitted() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = brief.run(|_| Ok(())).await.unwrap_err();
        assert_eq!((refused.code(), brief.admitted()), (Code::Overloaded, 1));
        assert!(refused.body("id")["message"].as_str().unwrap().contains("within 0.02 s"));
        drop(end);
        running.await.unwrap().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = work.clone();
        let first = tokio::spawn(async move { first.run(move |_| Ok(wait.recv().is_ok())).await });
        while work.admitted() == 0 {
            tokio::task::yield_now().await;
        }
        let waiting = work.clone();
        let waiting = tokio::spawn(async move { waiting.run(|_| Ok(7)).await });
        while work.admitted() < 2 {
            tokio::task::yield_now().await;
        }
        drop(go);
        first.await.unwrap().unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        // Without waiting, a free core still works.
        assert_eq!(Work::new(1, Duration::ZERO).run(|_| Ok(8)).await.unwrap(), 8);
    }
}
