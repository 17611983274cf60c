//! How long the requests of a route were held up.

use std::time::Duration;

use super::RouteName;

/// How long the requests of one route were held up that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldUpTimes {
    /// The route.
    pub route: RouteName,
    /// For how long, and how many requests: each time once, in ascending order. Requests that lost nothing are at
    /// zero. Times are rounded to three significant digits, so that there are not too many of them.
    pub times: Vec<(Duration, u64)>,
}

impl HeldUpTimes {
    /// The times of a route's requests, in ascending order.
    pub fn new(route: RouteName, times: Vec<(Duration, u64)>) -> Self {
        Self { route, times }
    }

    /// How many requests are over.
    pub fn requests(&self) -> u64 {
        self.times.iter().map(|&(_, requests)| requests).sum()
    }

    /// The time that this share of the requests, from 0 to 1, did not exceed; `None` if no request is over. For the
    /// 99th percentile, ask for 0.99.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "the result is one of the times")]
        let wanted = share.clamp(0.0, 1.0) * self.requests() as f64;
        let mut reached = 0;
        for &(time, requests) in &self.times {
            reached += requests;
            #[expect(clippy::cast_precision_loss, reason = "the result is one of the times")]
            if reached as f64 >= wanted {
                return Some(time);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_count_requests_that_lost_nothing() {
        let ms = Duration::from_millis;
        let route = RouteName::new("GET", "/a");
        let times = vec![(ms(0), 98), (ms(20), 1), (ms(300), 1)];
        let times = HeldUpTimes::new(route.clone(), times);
        assert_eq!(times.requests(), 100);
        let at = |share| times.quantile(share);
        assert_eq!(at(0.0), Some(ms(0)));
        assert_eq!(at(0.98), Some(ms(0)));
        assert_eq!(at(0.99), Some(ms(20)));
        assert_eq!([at(0.991), at(1.0), at(7.0)], [Some(ms(300)); 3]);
        assert_eq!(HeldUpTimes::new(route, Vec::new()).quantile(0.5), None);
    }
}
