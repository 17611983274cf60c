//! What to do about a spread.

use super::fresh::Fresh;
use super::multinomial;
use super::reason::SpreadReason;
use super::uneven::UNEVEN;

/// About connections that are spread unevenly.
pub(super) fn uneven(fresh: &Fresh) -> Vec<String> {
    let mut lines = Vec::new();
    let unseen = fresh.counts().contains(&0);
    if unseen {
        lines.push(
            "Make sure that the workers which got nothing run, and that whatever hands out the connections \
             knows them."
                .to_owned(),
        );
    }
    if are_even(fresh) {
        return lines;
    }
    if fresh.replicas.as_ref().is_some_and(|all| all.len() > 1) {
        lines.push(
            "If the replicas differ, look at the balancer's method and weights. One that looks for the fewest open \
             connections (least_conn) prefers the replica that answers sooner. One that assigns clients by \
             address, cookie or URL sends all connections from here to one of them."
                .to_owned(),
        );
    }
    lines.push(
        "If the workers accept from one socket, whichever of them asks first gets a connection, and often \
         several at once. Give each worker a listening \
         socket of its own (SO_REUSEPORT), or let one process, or a balancer, hand them out in turn."
            .to_owned(),
    );
    lines.push(
        "It matters most if a request can hold its worker: then all others of that worker wait, while other \
         workers have nothing to do."
            .to_owned(),
    );
    lines
}

/// Whether the workers that were seen got as many as each other.
fn are_even(fresh: &Fresh) -> bool {
    let counts: Vec<_> = fresh
        .counts()
        .into_iter()
        .filter(|count| *count > 0)
        .collect();
    counts.len() > 1 && multinomial::chance(&counts).probability >= UNEVEN
}

/// About connections that waited for different shares of the rounds.
pub(super) fn uneven_rounds() -> Vec<String> {
    vec![
        "A worker that gets most of the connections makes most of the clients wait if a request holds it. Give \
         each worker a listening socket of its own (SO_REUSEPORT), or let one process, or a balancer, hand the \
         connections out in turn."
            .to_owned(),
    ]
}

/// About a measurement that does not show it.
pub(super) fn inconclusive(reason: &SpreadReason) -> Vec<String> {
    let line = match reason {
        SpreadReason::NotMeasured(_) => return Vec::new(),
        SpreadReason::Failed { .. } => {
            "Make sure that the server runs and answers; if one of several replicas does not, measure again \
             when it does."
        }
        SpreadReason::NoId | SpreadReason::Nameless { .. } => {
            "Name something that each answer has and that differs between workers: a header, or a value in its \
             JSON, such as a host name with a process id."
        }
        SpreadReason::Requests { .. } => {
            "Name something that is the same in all answers of one worker, such as its process id."
        }
        SpreadReason::MoreThanExpected { .. } => {
            "Measure again; if as many answer as before, expect that many."
        }
        SpreadReason::OneWorker { .. } => {
            "If there are to be several workers, say how many. A balancer that assigns clients by address sends \
             all connections from here to one of them."
        }
        SpreadReason::TooFew { .. } | SpreadReason::Doubtful { .. } => "Open more connections.",
        SpreadReason::TooShort { .. } => {
            "Measure a request that holds its worker for longer, such as one that computes or sleeps for a second."
        }
        SpreadReason::Unclear { .. } => {
            "Ask a fast route beside it, and measure again while the server has little else to do."
        }
        SpreadReason::NoneFroze { .. } => {
            "Either the request does not hold its worker, or the workers accept from one socket, so that one \
             which is held gets no new connections, or there are very many of them."
        }
        SpreadReason::AllFroze { .. } => {
            "If there are to be several workers, make sure that they run and get connections."
        }
        SpreadReason::FewFroze { .. } => "Open more connections, to compare the workers.",
    };
    vec![line.to_owned()]
}
