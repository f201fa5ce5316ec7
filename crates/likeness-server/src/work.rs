//! Runs inference on one thread for each core, behind a bounded queue.
//!
//! Promises: at most `cores` threads run work; a piece with two photographs uses an idle core for the second.
//! At most [`QUEUE`] pieces for each core wait, each for a bounded time; other pieces are refused. A panic in
//! one piece is an error of that piece only. Each running thread has its own buffers. However many cores there
//! are, the buffers that no piece uses take up at most [`KEPT`] bytes.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use likeness::engine::Scratch;
use likeness::image::DecodeError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::{Code, Problem};
use crate::process::return_free_memory;
use crate::trail::Trail;

/// Waiting pieces of work for each core.
const QUEUE: usize = 15;

/// How many bytes of unused buffers wait for the next pieces: enough for two photographs of 480 x 640 pixels in
/// DeepFace's look policy.
const KEPT: usize = 48 << 20;

/// A handle of the queue and its workers.
#[derive(Clone)]
pub struct Work(Arc<Workers>);

struct Workers {
    cores: usize,
    /// The longest time that a piece of work waits for a core.
    wait: Duration,
    running: Arc<Semaphore>,
    /// The number of running and waiting pieces.
    admitted: AtomicUsize,
    buffers: Mutex<Vec<Scratch>>,
}

/// A core for one piece of work, released when dropped or after the piece.
pub struct Core {
    place: QueueSlot,
    running: OwnedSemaphorePermit,
}

impl Core {
    /// Runs a piece of work. A started piece runs to its end, even if its caller has gone.
    ///
    /// # Errors
    /// The work's own error, or an internal error after a panic.
    pub async fn run<T: Send + 'static>(
        self,
        piece: impl FnOnce(&mut Scratch) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.started(move |inner, trail| trail.within(|| inner.with_buffers(piece))).await
    }

    async fn started<T: Send + 'static>(
        self,
        act: impl FnOnce(&Workers, Trail) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let trail = Trail::current();
        let done = tokio::task::spawn_blocking(move || {
            // The core is kept until the end of the work, even if the caller has gone.
            let Self { place, running: _running } = self;
            act(&place.0, trail)
        });
        done.await.map_err(|why| {
            if why.is_panic() {
                counted_panic("work");
            }
            Problem::internal(&why)
        })?
    }
}

/// A place in the queue, released when dropped.
struct QueueSlot(Arc<Workers>);

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Work {
    /// Creates a queue for this many cores; a piece waits at most `wait` for a core.
    pub fn new(cores: usize, wait: Duration) -> Self {
        let (running, admitted) = (Arc::new(Semaphore::new(cores)), AtomicUsize::new(0));
        Self(Arc::new(Workers { cores, wait, running, admitted, buffers: Mutex::default() }))
    }

    /// Returns the number of running and waiting pieces.
    pub fn admitted(&self) -> usize {
        self.0.admitted.load(Ordering::Acquire)
    }

    /// Returns the number of pieces that may run at once.
    pub fn cores(&self) -> usize {
        self.0.cores
    }

    /// Returns the number of pieces that may run or wait.
    pub fn capacity(&self) -> usize {
        self.0.cores * (1 + QUEUE)
    }

    /// Returns whether another piece of work would be refused now.
    pub fn full(&self) -> bool {
        self.admitted() >= self.capacity()
    }

    /// Runs a piece of work. A started piece runs to its end, even if its caller has gone.
    ///
    /// # Errors
    /// The work's own error, `OVERLOADED`, or an internal error after a panic.
    pub async fn run<T: Send + 'static>(
        &self,
        piece: impl FnOnce(&mut Scratch) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.core().await?.run(piece).await
    }

    /// Waits for a core. A request that must not be `OVERLOADED` after it has changed something waits before the change.
    ///
    /// # Errors
    /// `OVERLOADED`
    pub async fn core(&self) -> Result<Core, Problem> {
        let (place, entered) = (self.enter()?, Instant::now());
        let running = timeout(self.0.wait, self.0.running.clone().acquire_owned()).await;
        let running = running.map_err(|_| busy(self.0.wait))?.map_err(|why| Problem::internal(&why))?;
        metrics::histogram!("likeness_queue_wait_seconds").record(entered.elapsed().as_secs_f64());
        Ok(Core { place, running })
    }

    /// Runs `piece` for 0 and for 1, then `end` with both results. If a core is idle, both run at once; that is so only
    /// while no other piece waits. Without a free core they run one after the other, with the same results.
    ///
    /// # Errors
    /// The error of the first piece, of the second piece or of `end`, in this order; `OVERLOADED`; or an
    /// internal error after a panic.
    pub async fn run_two<P: Send + 'static, T: Send + 'static>(
        &self,
        piece: impl Fn(usize, &mut Scratch) -> Result<P, Problem> + Send + Sync + 'static,
        end: impl FnOnce([P; 2]) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let act = move |inner: &Workers, trail: Trail| {
            let both = inner.two(&trail, &piece)?;
            trail.within(|| end(both))
        };
        self.core().await?.started(act).await
    }

    fn enter(&self) -> Result<QueueSlot, Problem> {
        let before = self.0.admitted.fetch_add(1, Ordering::AcqRel);
        let place = QueueSlot(self.0.clone());
        if before < self.capacity() { Ok(place) } else { Err(overloaded()) }
    }
}

/// Counts a caught panic, by what ran at the time.
pub fn counted_panic(during: &'static str) {
    metrics::counter!("likeness_panics_total", "during" => during).increment(1);
}

/// Counts a decoder's panic, which the library returns as an error of the photograph.
pub fn count_decoder_panic(why: &DecodeError) {
    if matches!(why, DecodeError::CodecFailed(_)) {
        counted_panic("decode");
    }
}

/// Returns the problem that no core became free in time.
fn busy(wait: Duration) -> Problem {
    let seconds = wait.as_secs_f64();
    Problem::new(Code::Overloaded, format!("no core became free within {seconds} s (QUEUE_WAIT_SECONDS); try again"))
}

/// Returns the problem that the queue or the memory for bodies is full.
pub fn overloaded() -> Problem {
    Problem::new(Code::Overloaded, "every core is busy and the queue is full; try again")
}

impl Workers {
    fn with_buffers<T>(&self, piece: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = self.take();
        let answer = piece(&mut scratch);
        self.give_back(scratch);
        answer
    }

    fn two<P: Send>(
        &self,
        trail: &Trail,
        piece: &(impl Fn(usize, &mut Scratch) -> Result<P, Problem> + Sync),
    ) -> Result<[P; 2], Problem> {
        let on = |trail: &Trail, at| trail.clone().within(|| self.with_buffers(|scratch| piece(at, scratch)));
        let one = |at| on(trail, at);
        // The semaphore serves waiting pieces first, so no permit is free here while a piece waits.
        let Ok(idle) = self.running.clone().try_acquire_owned() else { return Ok([one(0)?, one(1)?]) };
        // The second photograph gets its own trail, so that its notes come after those of the first.
        let aside = Trail::default();
        let both = thread::scope(|scope| {
            let second = thread::Builder::new().spawn_scoped(scope, || {
                let _kept = idle;
                on(&aside, 1)
            });
            let first = one(0);
            let second = match second {
                Ok(second) => second.join().unwrap_or_else(|why| resume_unwind(why)),
                Err(_) => one(1),
            };
            Ok([first?, second?])
        });
        trail.absorb(&aside);
        both
    }

    fn take(&self) -> Scratch {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the buffers if there is room for them. Otherwise it frees them, and what else the C library keeps.
    fn give_back(&self, scratch: Scratch) {
        let mut kept = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().map(Scratch::bytes).sum::<usize>() + scratch.bytes() <= KEPT {
            return kept.push(scratch);
        }
        drop((kept, scratch));
        return_free_memory();
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

    #[test]
    fn unused_buffers_of_all_cores_together_stay_below_their_limit() {
        use likeness::engine::KernelSet;
        use likeness::net::{SpoofV2, WeightFile};
        use testkit::data::{SPOOF_NEAR, own_data};
        let file = WeightFile::new(own_data().weight(SPOOF_NEAR));
        let network = SpoofV2::load(file, KernelSet::best()).unwrap();
        let used = || {
            let mut scratch = Scratch::default();
            network.logits(&mut scratch, &vec![0.5; 80 * 80 * 3]).unwrap();
            scratch
        };
        let (workers, each) = (Work::new(64, Duration::ZERO).0, used().bytes());
        let fit = KEPT / each;
        assert!(each > 1 << 16 && fit > 1, "{each} bytes");
        let at_once: Vec<Scratch> = (0..fit + 3).map(|_| used()).collect();
        at_once.into_iter().for_each(|scratch| workers.give_back(scratch));
        let kept = || workers.buffers.lock().unwrap().len();
        assert_eq!(kept(), fit);
        let taken = workers.take();
        assert_eq!((taken.bytes(), kept()), (each, fit - 1), "the next piece gets kept buffers");
        workers.give_back(taken);
        assert_eq!(kept(), fit);
    }

    #[tokio::test]
    async fn two_photographs_take_an_idle_core_and_never_one_that_another_piece_waits_for() {
        use std::sync::mpsc::{Receiver, channel};
        // Each half sends its number when it begins, and ends when it receives a message.
        type Half = (std::sync::mpsc::Sender<usize>, Mutex<Receiver<()>>);
        let halves = |(begun, end): Half| {
            move |at: usize, _: &mut Scratch| {
                begun.send(at).unwrap();
                end.lock().unwrap().recv_timeout(Duration::from_secs(60)).map_err(|why| Problem::internal(&why))?;
                Ok((at, thread::current().id()))
            }
        };
        for (cores, at_once) in [(1, false), (2, true)] {
            let work = Work::new(cores, Duration::from_secs(600));
            let ((begun, seen), (go, end)) = (channel(), channel());
            let running = work.clone();
            let piece = halves((begun, Mutex::new(end)));
            let running = tokio::spawn(async move { running.run_two(piece, Ok).await });
            let receive = move || seen.recv_timeout(Duration::from_secs(60)).unwrap();
            // If both run at once, both begin before either may end.
            let [first, second] = tokio::task::spawn_blocking(move || {
                let first = receive();
                if !at_once {
                    go.send(()).unwrap();
                }
                let second = receive();
                go.send(()).unwrap();
                let _ = go.send(());
                [first, second]
            })
            .await
            .unwrap();
            let [one, two] = running.await.unwrap().unwrap();
            assert_eq!(first + second, 1);
            assert_eq!((one.0, two.0, one.1 != two.1), (0, 1, at_once), "{cores} cores");
            assert_eq!((work.admitted(), work.0.running.available_permits()), (0, cores));
        }
        let work = Work::new(2, Duration::from_secs(600));
        let failing = |at: usize, _: &mut Scratch| -> Result<(), Problem> {
            if at == 1 { panic!("a bad image") } else { Err(Problem::input("the first")) }
        };
        assert_eq!(work.run_two(failing, Ok).await.unwrap_err().code(), Code::InternalServerError);
        assert_eq!(work.0.running.available_permits(), 2);
    }

    /// One network on two photographs returns the same bits with one core and with two cores.
    #[tokio::test]
    async fn two_photographs_at_once_have_the_bits_of_one_after_the_other() {
        use likeness::engine::KernelSet;
        use likeness::net::{SpoofV2, WeightFile};
        use testkit::data::{SPOOF_NEAR, own_data};
        let file = WeightFile::new(own_data().weight(SPOOF_NEAR));
        let network = Arc::new(SpoofV2::load(file, KernelSet::best()).unwrap());
        let mut answers = Vec::new();
        for cores in [1, 2] {
            let network = network.clone();
            let piece = move |at: usize, scratch: &mut Scratch| {
                let pixels: Vec<f32> = (0..80 * 80 * 3).map(|n| ((n * (7 + at)) % 256) as f32).collect();
                let logits = network.logits(scratch, &pixels).map_err(|why| Problem::internal(&why))?;
                Ok(logits.map(f32::to_bits))
            };
            let work = Work::new(cores, Duration::from_secs(600));
            answers.push(work.run_two(piece, Ok).await.unwrap());
        }
        assert_eq!(answers[0], answers[1]);
        assert_ne!(answers[0][0], answers[0][1]);
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
        // With a wait of zero, a free core is still used.
        assert_eq!(Work::new(1, Duration::ZERO).run(|_| Ok(8)).await.unwrap(), 8);
    }
}
