//! The ongoing holds, each with its samples and what was published of it. This state is kept here and nowhere
//! else.

use std::sync::Arc;
use std::time::Duration;

use holdup_model::{Activity, Event, Hold};

use crate::record::HoldId;
use crate::samples::Samples;
use crate::stack::StackSample;

/// How often an update of an ongoing hold is published.
const UPDATES: Duration = Duration::from_millis(250);

/// A hold that has not ended is withdrawn when its worker was not in it in this many samples in a row. One
/// sample is not enough: the worker may have changed its state while it was read.
const GONE: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Lasting(Vec<LastingHold>);

#[derive(Debug)]
struct LastingHold {
    id: HoldId,
    samples: Samples,
    /// The hold as of its latest event.
    published: Option<Hold>,
    /// Whether it has ended and only waits for the names of its stacks.
    is_over: bool,
    /// In how many samples in a row its worker was not in it.
    gone: u32,
}

impl Lasting {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records what the thread of a hold was doing.
    pub(crate) fn note(&mut self, id: HoldId, activity: Activity) {
        self.entry(id).samples.note(activity);
    }

    /// Records a stack that was taken in a hold.
    pub(crate) fn add_stack(&mut self, id: HoldId, at: Duration, stack: &Arc<StackSample>) {
        self.entry(id).samples.add(at, stack);
    }

    /// The latest stack of a hold whose names are known.
    pub(crate) fn latest_stack(&self, id: HoldId) -> Option<Arc<StackSample>> {
        self.get(id)?.samples.latest_stack().cloned()
    }

    /// Adds the samples to a hold.
    pub(crate) fn fill(&self, hold: &mut Hold) {
        if let Some(lasting) = self.get(HoldId::of(hold)) {
            lasting.samples.fill(hold);
        }
    }

    /// Whether all names of a hold that is over are known.
    pub(crate) fn are_names_known(&self, hold: &Hold) -> bool {
        self.get(HoldId::of(hold))
            .is_none_or(|lasting| lasting.samples.are_known(hold))
    }

    /// The event to publish of an ongoing hold, if there is something new: the hold crossed the threshold,
    /// the last update is too old, or the thread's activity has changed.
    pub(crate) fn event(&mut self, hold: &Hold) -> Option<Event> {
        let lasting = self.entry(HoldId::of(hold));
        lasting.gone = 0;
        let event = match &lasting.published {
            None => Event::Held(hold.clone()),
            Some(last) => {
                let is_new = hold.activity != last.activity
                    || hold
                        .lines
                        .iter()
                        .map(|line| &line.function)
                        .ne(last.lines.iter().map(|line| &line.function));
                if !is_new && hold.duration < last.duration + UPDATES {
                    return None;
                }
                Event::Updated(hold.clone())
            }
        };
        lasting.published = Some(hold.clone());
        Some(event)
    }

    /// One event for each ongoing hold, for a subscription that begins now.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        let published = self
            .0
            .iter()
            .filter_map(|lasting| lasting.published.clone());
        published.map(Event::Held)
    }

    /// Records that a hold has ended and waits for the names of its stacks.
    pub(crate) fn ends(&mut self, id: HoldId) {
        if let Some(lasting) = self.0.iter_mut().find(|lasting| lasting.id == id) {
            lasting.is_over = true;
        }
    }

    /// Removes a hold that is over. Returns what was published of it, if anything.
    pub(crate) fn remove(&mut self, id: HoldId) -> Option<Hold> {
        let index = self.0.iter().position(|lasting| lasting.id == id)?;
        self.0.remove(index).published
    }

    /// Removes the holds that their workers are not in any more although they have not ended. Returns those
    /// that were published.
    pub(crate) fn withdraw(&mut self, is_in: impl Fn(HoldId) -> bool) -> Vec<Hold> {
        let mut withdrawn = Vec::new();
        self.0.retain_mut(|lasting| {
            if lasting.is_over || is_in(lasting.id) {
                lasting.gone = 0;
                return true;
            }
            lasting.gone += 1;
            if lasting.gone >= GONE {
                withdrawn.extend(lasting.published.take());
            }
            lasting.gone < GONE
        });
        withdrawn
    }

    fn get(&self, id: HoldId) -> Option<&LastingHold> {
        self.0.iter().find(|lasting| lasting.id == id)
    }

    fn entry(&mut self, id: HoldId) -> &mut LastingHold {
        let index = self.0.iter().position(|lasting| lasting.id == id);
        let index = index.unwrap_or_else(|| {
            self.0.push(LastingHold {
                id,
                samples: Samples::default(),
                published: None,
                is_over: false,
                gone: 0,
            });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

#[cfg(test)]
mod tests {
    use holdup_model::HoldKind;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn hold(worker: usize, started: u32, lasted: u32) -> Hold {
        Hold::new(HoldKind::Blocked, worker, MS * started, MS * lasted)
    }

    fn id(worker: usize, started: u32) -> HoldId {
        HoldId {
            worker,
            started: MS * started,
        }
    }

    #[test]
    fn a_hold_is_published_at_once_four_times_a_second_and_when_its_activity_changes() {
        let mut lasting = Lasting::default();
        let mut events = Vec::new();
        for look in 4..44 {
            let mut hold = hold(0, 5, 25 * look);
            hold.activity = (look >= 20).then_some(Activity::Sleeping);
            let name = |event| match event {
                Event::Held(hold) => ("held", hold.duration.as_millis()),
                Event::Updated(hold) => ("updated", hold.duration.as_millis()),
                other => panic!("{other:?}"),
            };
            events.extend(lasting.event(&hold).map(name));
        }
        let expected = [
            ("held", 100),
            ("updated", 350),
            ("updated", 500),
            ("updated", 750),
            ("updated", 1000),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn holds_are_identified_by_worker_and_start() {
        let mut lasting = Lasting::default();
        lasting.note(id(1, 5), Activity::Sleeping);
        lasting.note(id(1, 400), Activity::Computing);
        lasting.note(id(2, 5), Activity::Polling);
        for (worker, started, activity) in [
            (1, 5, Some(Activity::Sleeping)),
            (1, 400, Some(Activity::Computing)),
            (2, 5, Some(Activity::Polling)),
            (3, 5, None),
        ] {
            let mut hold = hold(worker, started, 300);
            lasting.fill(&mut hold);
            assert_eq!(hold.activity, activity, "{worker} {started}");
        }
        assert_eq!(lasting.remove(id(1, 5)), None, "it was not published");
        let mut gone = hold(1, 5, 300);
        lasting.fill(&mut gone);
        assert_eq!(gone.activity, None);
    }

    #[test]
    fn a_hold_is_withdrawn_once_after_three_samples_without_it() {
        let mut lasting = Lasting::default();
        let held = hold(0, 5, 100);
        lasting.event(&held);
        lasting.note(id(0, 900), Activity::Sleeping);
        let mut looks = [false, false, true, false, false, false, false].into_iter();
        let withdrawn = looks.by_ref().map(|is_in| lasting.withdraw(|_| is_in));
        let withdrawn: Vec<_> = withdrawn.map(|holds| holds.len()).collect();
        assert_eq!(withdrawn, [0, 0, 0, 0, 0, 1, 0]);
        // A hold that has ended is not withdrawn, because it only waits for its names.
        lasting.event(&held);
        lasting.ends(id(0, 5));
        assert!((0..9).all(|_| lasting.withdraw(|_| false).is_empty()));
        assert_eq!(lasting.remove(id(0, 5)), Some(held));
    }

    #[test]
    fn a_late_subscriber_gets_the_ongoing_holds() {
        let mut lasting = Lasting::default();
        lasting.note(id(1, 5), Activity::Sleeping);
        assert_eq!(lasting.events().count(), 0, "not yet a hold");
        lasting.event(&hold(0, 5, 100));
        lasting.event(&hold(0, 5, 800));
        let events: Vec<_> = lasting.events().collect();
        assert!(
            matches!(&events[..], [Event::Held(hold)] if hold.duration == MS * 800),
            "{events:?}"
        );
    }
}
