//! Takes surveys of the open requests: one at a time, at most one a second, and only for somebody who looks.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

/// The shortest time from the beginning of one survey to that of the next one. Each wakes requests.
const APART: Duration = Duration::from_secs(1);

/// Who waits for a survey.
type Asker<T> = oneshot::Sender<Arc<T>>;

/// The running survey, and who waits for it or for the next one. Times are on the watch's clock.
#[derive(Debug)]
pub(super) struct Surveys<T> {
    running: Option<JoinHandle<T>>,
    /// The running survey began after these had asked.
    askers: Vec<Asker<T>>,
    /// These get the next one.
    next: Vec<Asker<T>>,
    began: Option<Duration>,
    /// The survey that has ended since the last call of [`take_ended`](Self::take_ended).
    ended: Option<Arc<T>>,
}

impl<T: Send + 'static> Surveys<T> {
    /// Sends the next survey to `asker`. It begins after this call, so that it knows every request that was open
    /// before.
    pub(super) fn ask(&mut self, asker: Asker<T>) {
        self.next.push(asker);
    }

    /// Begins a survey if somebody looks: `is_watched`, or somebody has asked. Not while one is running, and not
    /// within a second after the last one began.
    pub(super) fn begin(
        &mut self,
        now: Duration,
        is_watched: bool,
        take: impl FnOnce() -> T + Send + 'static,
    ) {
        // An asker may have left.
        self.next.retain(|asker| !asker.is_closed());
        let is_apart = |began: Duration| now.saturating_sub(began) >= APART;
        let is_wished = is_watched || !self.next.is_empty();
        let is_free = self.running.is_none() && self.began.is_none_or(is_apart);
        if !is_wished || !is_free {
            return;
        }
        self.began = Some(now);
        self.askers.append(&mut self.next);
        self.running = Some(spawn_blocking(take));
    }

    /// Whether a survey is running, or somebody waits for one.
    pub(super) fn are_wanted(&self) -> bool {
        self.running.is_some() || !self.next.is_empty()
    }

    /// Waits until the running survey ends, and sends it to those who have asked for it. If none is running, this
    /// never returns. It may be dropped at any time.
    pub(super) async fn until_ended(&mut self) {
        let Some(running) = &mut self.running else {
            return pending().await;
        };
        let survey = running.await;
        self.running = None;
        let askers = std::mem::take(&mut self.askers);
        // If it panicked, the panic hook has reported it, and those who asked are told that there is no answer.
        let Ok(survey) = survey else { return };
        let survey = Arc::new(survey);
        for asker in askers {
            asker.send(Arc::clone(&survey)).ok();
        }
        self.ended = Some(survey);
    }

    /// The survey that has ended since the last call.
    pub(super) fn take_ended(&mut self) -> Option<Arc<T>> {
        self.ended.take()
    }
}

impl<T> Default for Surveys<T> {
    fn default() -> Self {
        Self {
            running: None,
            askers: Vec::new(),
            next: Vec::new(),
            began: None,
            ended: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[tokio::test]
    async fn nothing_is_surveyed_while_nobody_looks_and_then_once_a_second() {
        let (mut surveys, count) = (Surveys::<u64>::default(), Arc::new(AtomicUsize::new(0)));
        let begin = |surveys: &mut Surveys<u64>, now: u64, is_watched| {
            let count = Arc::clone(&count);
            surveys.begin(ms(now), is_watched, move || {
                count.fetch_add(1, Ordering::Relaxed);
                now
            });
        };
        begin(&mut surveys, 5000, false);
        assert!(surveys.running.is_none());
        begin(&mut surveys, 5000, true);
        surveys.until_ended().await;
        assert_eq!(surveys.take_ended().as_deref(), Some(&5000));
        assert!(surveys.take_ended().is_none(), "it is given once");
        begin(&mut surveys, 5999, true);
        assert!(surveys.running.is_none(), "a second has not passed");
        begin(&mut surveys, 6000, true);
        surveys.until_ended().await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_asks_gets_a_survey_that_began_afterwards_and_shares_it() {
        let mut surveys = Surveys::<u64>::default();
        let ask = |surveys: &mut Surveys<u64>| {
            let (asker, answer) = oneshot::channel();
            surveys.ask(asker);
            answer
        };
        let (go_on, stopped) = mpsc::channel::<()>();
        let first = ask(&mut surveys);
        surveys.begin(ms(100), false, move || {
            stopped.recv().ok();
            100
        });
        // These ask while the first survey is running, which may have missed their requests.
        let (second, third, left) = (ask(&mut surveys), ask(&mut surveys), ask(&mut surveys));
        drop(left);
        surveys.begin(ms(5000), false, || unreachable!("one is running"));
        go_on.send(()).expect("it waits for this");
        surveys.until_ended().await;
        assert_eq!(*first.await.expect("a survey"), 100);
        surveys.begin(ms(1099), false, || unreachable!("a second has not passed"));
        surveys.begin(ms(1100), false, || 1100);
        surveys.until_ended().await;
        let (second, third) = (second.await.expect("it"), third.await.expect("it"));
        assert!(Arc::ptr_eq(&second, &third));
        assert_eq!(*second, 1100);
        surveys.begin(ms(9000), false, || unreachable!("nobody asks"));
    }

    #[tokio::test]
    async fn whoever_has_left_is_not_surveyed_for() {
        let mut surveys = Surveys::<u64>::default();
        let (asker, answer) = oneshot::channel();
        surveys.ask(asker);
        drop(answer);
        surveys.begin(ms(100), false, || unreachable!("nobody waits for it"));
        assert!(surveys.running.is_none());
    }
}
