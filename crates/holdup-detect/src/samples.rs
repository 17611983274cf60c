//! The samples of one hold: what its thread was doing, and where in the code.

use std::sync::Arc;
use std::time::Duration;

use holdup_model::{Activity, Hold, Line};

use crate::stack::StackSample;

/// The most stacks that are kept of one hold.
pub(crate) const STACKS: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Samples {
    activities: Vec<(Activity, u32)>,
    latest: Option<Activity>,
    /// The stacks, each with when it was taken, counted from when the detector was created.
    stacks: Vec<(Duration, Arc<StackSample>)>,
}

impl Samples {
    /// Records what the thread was doing.
    pub(crate) fn note(&mut self, activity: Activity) {
        self.latest = Some(activity.clone());
        let same = self
            .activities
            .iter_mut()
            .find(|(other, _)| *other == activity);
        match same {
            Some((_, times)) => *times += 1,
            None => self.activities.push((activity, 1)),
        }
    }

    /// Adds a stack that was taken at `at`, counted from when the detector was created.
    pub(crate) fn add(&mut self, at: Duration, stack: &Arc<StackSample>) {
        // Beyond the limit the latest stack replaces the one before it, because it is more useful.
        self.stacks.truncate(STACKS - 1);
        self.stacks.push((at, Arc::clone(stack)));
    }

    /// The latest stack whose names are known.
    pub(crate) fn latest_stack(&self) -> Option<&Arc<StackSample>> {
        let stacks = self.stacks.iter().rev().map(|(_, stack)| stack);
        stacks.into_iter().find(|stack| stack.is_known())
    }

    /// Whether the names of all stacks in this hold are known.
    pub(crate) fn are_known(&self, hold: &Hold) -> bool {
        self.stacks_in(hold).all(|stack| stack.is_known())
    }

    /// Adds the samples to the hold, with the names that are known by now.
    pub(crate) fn fill(&self, hold: &mut Hold) {
        let most = self.activities.iter().max_by_key(|(_, times)| *times);
        hold.activity = if hold.ongoing {
            self.latest.clone()
        } else {
            most.map(|(activity, _)| activity.clone())
        };
        self.fill_lines(hold);
    }

    fn fill_lines(&self, hold: &mut Hold) {
        let known: Vec<_> = self
            .stacks_in(hold)
            .filter(|stack| stack.is_known())
            .collect();
        let mut lines: Vec<Line> = Vec::new();
        let mut shown: Option<(u32, &Arc<StackSample>)> = None;
        for stack in &known {
            let Some(mut line) = stack.line(hold) else {
                continue;
            };
            if let Some(same) = lines.iter_mut().find(|other| is_same(other, &line)) {
                same.samples += 1;
                line.samples = same.samples;
            } else {
                lines.push(line.clone());
            }
            // The hold's stack is one of those at the most frequent line.
            if shown.as_ref().is_none_or(|(most, _)| line.samples > *most) {
                shown = Some((line.samples, stack));
            }
        }
        lines.sort_by_key(|line| std::cmp::Reverse(line.samples));
        let shown = shown.map(|(_, stack)| stack);
        let shown = shown.or_else(|| known.first().copied());
        hold.stack = shown.map(|stack| stack.functions()).unwrap_or_default();
        hold.lines = lines;
    }

    /// The stacks that were taken in the hold. Of an ongoing hold these are all stacks since its start,
    /// because its duration may have been measured before the latest stack was taken.
    fn stacks_in(&self, hold: &Hold) -> impl Iterator<Item = &Arc<StackSample>> {
        let (from, to) = (hold.started, hold.started + hold.duration);
        let lasts = hold.ongoing;
        let within = move |(at, _): &&(Duration, _)| *at >= from && (lasts || *at <= to);
        self.stacks.iter().filter(within).map(|(_, stack)| stack)
    }
}

fn is_same(line: &Line, other: &Line) -> bool {
    let key = |line: &Line| (line.line, line.file.clone(), line.called.clone());
    line.function == other.function && key(line) == key(other)
}

#[cfg(test)]
mod tests {
    use holdup_model::HoldKind;

    use super::*;

    fn hold(ongoing: bool) -> Hold {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 1, ms(5), ms(300));
        hold.ongoing = ongoing;
        hold
    }

    fn activity(samples: &Samples, mut hold: Hold) -> Option<Activity> {
        samples.fill(&mut hold);
        hold.activity
    }

    #[test]
    fn an_ongoing_hold_has_the_latest_activity_and_a_finished_one_the_most_frequent() {
        let mut samples = Samples::default();
        for activity in [Activity::Sleeping, Activity::Sleeping, Activity::Computing] {
            samples.note(activity);
        }
        assert_eq!(activity(&samples, hold(true)), Some(Activity::Computing));
        assert_eq!(activity(&samples, hold(false)), Some(Activity::Sleeping));
        assert_eq!(activity(&Samples::default(), hold(false)), None);
    }

    #[cfg(all(feature = "stacks", target_os = "linux", target_env = "gnu"))]
    #[test]
    fn reading_a_hold_looks_up_no_names_and_returns_the_known_ones() {
        use crate::{stack, system};

        stack::start();
        stack::prepare_thread();
        let stack = stack::take(system::thread_number()).expect("this thread's own");
        let stack = Arc::new(stack);
        let mut samples = Samples::default();
        samples.add(Duration::from_millis(50), &stack);
        for ongoing in [true, false] {
            let mut hold = hold(ongoing);
            samples.fill(&mut hold);
            assert!(hold.stack.is_empty() && !stack.is_known());
            assert!(!samples.are_known(&hold));
        }
        stack.look_up();
        let mut over = hold(false);
        samples.fill(&mut over);
        assert!(!over.stack.is_empty() && samples.are_known(&over));
        // A hold that ended before the stack was taken.
        over.duration = Duration::from_millis(40);
        samples.fill(&mut over);
        assert!(over.stack.is_empty());
    }
}
