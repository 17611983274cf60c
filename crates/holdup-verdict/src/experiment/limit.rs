//! Sends more and more requests at once until the limit shows.

use std::time::Duration;

use super::asking::{Plan, shortest};
use super::findings::Findings;
use super::round::{Ask, Round, RoundKind};
use crate::began::began;
use crate::judge::judge;
use crate::limit::Search;
use holdup_model::Timeline;

impl Plan {
    /// Finds out how many requests run at a time at most. The rounds that the verdict rests on count.
    pub(super) async fn limit(&mut self, findings: &mut Findings) {
        let Some(most) = self.policy.limit else {
            return;
        };
        let mut search = Search::new(most, self.policy.cores);
        let unique = findings.unique.as_ref();
        search.begins_with(&findings.verdict, unique, findings.began.as_ref());
        let solo = shortest(&findings.alone);
        while let Some((requests, pause)) = search.next() {
            let at_once = self.more(requests, pause, solo).await;
            let verdict = judge(&findings.alone, &at_once);
            let began = began(&findings.alone, &at_once);
            search.saw(&verdict, Some(&at_once), began.as_ref());
        }
        findings.limit = Some(search.found());
    }

    /// So many at once, each with a URL of its own, which no other round has.
    async fn more(&mut self, requests: usize, pause: Duration, solo: Option<Duration>) -> Timeline {
        let asks = (0..requests).map(|_| Ask::now((self.number("") + 1).to_string()));
        let asks = asks.collect();
        let round = self.round(RoundKind::Limit, asks, solo);
        self.ask(Round { pause, ..round }).await.into()
    }
}
