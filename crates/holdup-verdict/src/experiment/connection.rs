//! Compares one HTTP/2 connection with one connection for each request.
//!
//! A browser has one HTTP/2 connection with a server, and so has a gRPC channel or a proxy. If a process, a
//! thread or an event loop owns the connection, requests on it wait for each other although the server runs
//! others at the same time. So the same requests are sent over HTTP/2 in two ways: on a connection each, and
//! as streams of one. Before that, one request alone on a connection that is already established shows whether
//! the server accepts HTTP/2, and what the streams are compared with.

use std::time::Duration;

use super::answers::Peer;
use super::asking::{Plan, apart, is_long, is_well, shortest};
use super::findings::Findings;
use super::plan::may_be_noise;
use super::policy::Http2;
use super::round::{Ask, Connections, Round, RoundKind};
use crate::connection::{Connection, Said};
use crate::judge::judge;
use crate::reason::Reason;
use crate::verdict::Verdict;
use holdup_model::{Lane, Timeline};

impl Plan {
    /// Compares one connection with several, if the policy asks for it.
    pub(super) async fn connection(&mut self, findings: &mut Findings) {
        let wanted = match self.policy.http2 {
            Http2::Off => return,
            Http2::IfOffered => false,
            Http2::Wanted => true,
        };
        if let Some(why) = unmeasurable(findings) {
            findings.connection = wanted.then(|| Connection::unknown(&why));
            return;
        }
        let mut alone = Vec::new();
        let mut known = shortest(&findings.alone);
        while alone.len() < 2 && !alone.iter().any(is_long) {
            let asks = vec![Ask::now(self.name("solo"))];
            let (lanes, peer) = self.over_http2(Connections::OneHttp2, asks, known).await;
            if let Some(why) = peer.refused {
                findings.connection = wanted.then(|| Connection::refused(&why));
                return;
            }
            alone.extend(lanes);
            if !alone.iter().all(is_well) {
                findings.connection = Some(Connection::unknown(&nothing_alone(&alone)));
                return;
            }
            known = shortest(&alone);
        }
        let compared = self.compared_connections(findings, &alone).await;
        findings.connection = Some(compared.unwrap_or_else(|why| Connection::unknown(&why)));
    }

    /// The comparison, or why the server did not accept HTTP/2 this time.
    async fn compared_connections(
        &mut self,
        findings: &Findings,
        alone: &[Lane],
    ) -> Result<Connection, String> {
        // A request on a connection of its own takes the time to establish it as well, over HTTP/1.1, too.
        let (own, _) = self.streams(Connections::OwnHttp2, &findings.alone).await?;
        let (one, said) = self.streams(Connections::OneHttp2, alone).await?;
        Ok(Connection::of(&one, own, &findings.verdict, &said))
    }

    /// The verdict on all requests at once, measured again if one pause may have caused it, and what the server
    /// said.
    async fn streams(
        &mut self,
        connections: Connections,
        alone: &[Lane],
    ) -> Result<(Verdict, Said), String> {
        let (mut verdict, mut said) = self.streams_in_quiet(connections, alone).await?;
        if verdict.needs_confirmation() {
            self.pause_before_next(verdict.pause_before_confirmation());
            let (again, said_again) = self.streams_in_quiet(connections, alone).await?;
            verdict = verdict.confirm_with(&again);
            said.notes.extend(said_again.notes);
        }
        Ok((verdict, said))
    }

    /// The same, measured once more if noise may have spoilt it.
    async fn streams_in_quiet(
        &mut self,
        connections: Connections,
        alone: &[Lane],
    ) -> Result<(Verdict, Said), String> {
        let first = self.streams_once(connections, alone).await?;
        if may_be_noise(&first.0) {
            self.streams_once(connections, alone).await
        } else {
            Ok(first)
        }
    }

    async fn streams_once(
        &mut self,
        connections: Connections,
        alone: &[Lane],
    ) -> Result<(Verdict, Said), String> {
        let numbers: Vec<_> = (0..self.policy.requests)
            .map(|_| self.number("") + 1)
            .collect();
        // In both ways alike, so that nothing but the connection differs.
        let asks = apart(&numbers, shortest(alone));
        let (lanes, peer) = self.over_http2(connections, asks, shortest(alone)).await;
        if let Some(why) = peer.refused {
            return Err(why);
        }
        let said = Said {
            max: peer.max_concurrent_streams,
            notes: peer.notes,
        };
        Ok((judge(alone, &lanes.into()), said))
    }

    async fn over_http2(
        &mut self,
        connections: Connections,
        asks: Vec<Ask>,
        solo: Option<Duration>,
    ) -> (Vec<Lane>, Peer) {
        let round = self.round(RoundKind::Connection, asks, solo);
        let answers = self
            .ask_all(Round {
                connections,
                ..round
            })
            .await;
        (answers.lanes, answers.peer.unwrap_or_default())
    }
}

/// Why a comparison would show nothing, without a full stop: the server fails, or is judged by other means than
/// the times of requests at once.
fn unmeasurable(findings: &Findings) -> Option<String> {
    let verdict = &findings.verdict;
    let other_means = matches!(
        verdict.reason,
        Some(
            Reason::TooShort
                | Reason::Distant { .. }
                | Reason::Kept { .. }
                | Reason::LeftBehind { .. }
        )
    );
    if !other_means && findings.alone.iter().all(is_well) {
        return None;
    }
    Some(
        verdict
            .because()
            .unwrap_or_else(|| nothing_alone(&findings.alone)),
    )
}

/// Why the requests alone show nothing.
fn nothing_alone(alone: &[Lane]) -> String {
    let verdict = judge(alone, &Timeline::default());
    verdict.because().unwrap_or_default()
}
