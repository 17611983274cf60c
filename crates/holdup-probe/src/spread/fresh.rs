//! Fresh connections, with one request each.

use futures_util::{StreamExt as _, stream};

use super::super::event::Observer;
use super::ask::{Visitor, counted};
use super::id::AnswerId;
use holdup_verdict::{Heard, Tally};

/// Opens so many connections, some at a time, and counts who answers.
pub(super) async fn ask(
    visitor: Visitor<'_>,
    id: &AnswerId,
    (count, at_once): (usize, usize),
    observe: &mut Observer<'_>,
) -> Tally {
    let visits = stream::iter(1..=count)
        .map(|number| async move {
            let ended = visitor.once(format!("fresh{number}"), id.is_in_body());
            match ended.await {
                Ok(ended) => ended.heard(id),
                Err(failure) => Heard::Failed(failure.to_string()),
            }
        })
        .buffer_unordered(at_once);
    let mut tally = Tally::default();
    counted(count, visits, observe, |heard| tally.add(heard)).await;
    tally
}
