//! Kept connections, with a few requests each.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time;

use super::super::event::Observer;
use super::super::request::kept_alive;
use super::ask::{Visitor, counted};
use super::id::AnswerId;
use super::settings::REQUESTS_EACH;
use holdup_model::Failure;
use holdup_verdict::{Heard, KeptConnection};

/// How long a connection may take to be ready for the next request.
const READY: Duration = Duration::from_secs(2);

/// Opens so many connections, some at a time, and sends some requests on each, one after the other.
pub(super) async fn ask(
    visitor: Visitor<'_>,
    id: &AnswerId,
    (count, at_once): (usize, usize),
    observe: &mut Observer<'_>,
) -> Vec<KeptConnection> {
    let visits = stream::iter(1..=count)
        .map(|number| one(visitor, id, number))
        .buffer_unordered(at_once);
    let mut connections = Vec::with_capacity(count);
    counted(count, visits, observe, |one| connections.push(one)).await;
    connections
}

async fn one(visitor: Visitor<'_>, id: &AnswerId, number: usize) -> KeptConnection {
    let mut connection = KeptConnection::default();
    if let Err(failure) = all(visitor, id, number, &mut connection).await {
        let failed = Heard::Failed(failure.to_string());
        connection.heard.push(failed);
    }
    connection
}

async fn all(
    visitor: Visitor<'_>,
    id: &AnswerId,
    number: usize,
    connection: &mut KeptConnection,
) -> Result<(), Failure> {
    let mut link = visitor.in_time(visitor.connect()).await?;
    for request in 1..=REQUESTS_EACH {
        let message = kept_alive(visitor.message(&format!("kept{number}-{request}"))?);
        let exchange = visitor.exchange(&mut link, message, id.is_in_body());
        let ended = visitor.in_time(exchange).await?;
        connection.heard.push(ended.heard(id));
        // An answer that was not read to its end leaves nothing to keep.
        let is_open = time::timeout(READY, link.is_open()).await;
        if request < REQUESTS_EACH && is_open != Ok(true) {
            connection.closed = true;
            break;
        }
    }
    Ok(())
}
