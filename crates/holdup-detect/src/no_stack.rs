//! Stands in for `stack` without the feature `stacks`: no stacks are taken.

use std::task::{Context, Waker};

use holdup_model::{AwaitPoint, Hold, Line, RouteName};

/// There is none.
#[derive(Debug)]
pub(crate) enum StackSample {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    Silent,
    SignalTaken,
}

pub(crate) fn start() -> Option<Result<(), &'static str>> {
    None
}

pub(crate) fn prepare_thread() {}

pub(crate) fn is_on() -> bool {
    false
}

pub(crate) fn why_off() -> Option<&'static str> {
    None
}

pub(crate) fn take(_: Option<u32>) -> Result<StackSample, Missed> {
    Err(Missed::Silent)
}

pub(crate) fn trace_awaits<R>(
    waker: &Waker,
    poll: impl FnOnce(&mut Context<'_>) -> R,
) -> (R, Vec<StackSample>) {
    (poll(&mut Context::from_waker(waker)), Vec::new())
}

pub(crate) fn rest(_: u64) {}

impl StackSample {
    pub(crate) fn addresses(&self) -> &[usize] {
        match *self {}
    }

    pub(crate) fn await_point(&self, _: &RouteName) -> Option<AwaitPoint> {
        match *self {}
    }

    pub(crate) fn at(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn look_up(&self) {
        match *self {}
    }

    pub(crate) fn is_known(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_quick(&self) -> bool {
        match *self {}
    }

    pub(crate) fn line(&self, _: &Hold) -> Option<Line> {
        match *self {}
    }

    pub(crate) fn functions(&self) -> Vec<String> {
        match *self {}
    }

    pub(crate) fn further_on(&self, _: &str, _: &str, _: u32) -> Option<String> {
        match *self {}
    }
}
