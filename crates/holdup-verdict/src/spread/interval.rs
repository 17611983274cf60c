//! How far a share may be from the one that was counted.

use super::gamma::float;

/// The quantile of the normal distribution for 95 %: 2.5 % are left on each side.
const Z: f64 = 1.959_963_985;

/// The 95 % interval for the share of which `count` of `of` were seen: Wilson's score interval (Wilson, "Probable
/// Inference, the Law of Succession, and Statistical Inference", 1927). Unlike the simple one, it is never empty for
/// a share of 0 or 1, and it holds what it promises for small counts (Brown, Cai and others, "Interval Estimation
/// for a Binomial Proportion", 2001, who recommend it).
pub(super) fn interval(count: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let n = float(of);
    let (share, z2) = (float(count) / n, Z * Z);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let low = if count == 0 { 0.0 } else { middle - half };
    let high = if count == of { 1.0 } else { middle + half };
    (low.max(0.0), high.min(1.0))
}

/// How likely it has to be that a worker is seen, so that it counts as one that would have been.
const SEEN: f64 = 0.99;

/// The least share with which a worker would have been seen among `of` connections, with a probability of 99 %.
pub(super) fn least_seen(of: usize) -> f64 {
    if of == 0 {
        return 1.0;
    }
    1.0 - (1.0 - SEEN).powf(1.0 / float(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near((low, high): (f64, f64), expected: (f64, f64)) {
        let off = (low - expected.0).abs().max((high - expected.1).abs());
        assert!(off < 5e-5, "{low} {high}, expected {expected:?}");
    }

    #[test]
    fn an_interval_is_wilsons() {
        // As R's prop.test(…, correct = FALSE) and statsmodels' proportion_confint(method="wilson") give it.
        near(interval(10, 100), (0.05523, 0.17437));
        near(interval(0, 100), (0.0, 0.03699));
        near(interval(100, 100), (0.96301, 1.0));
        near(interval(1, 2), (0.09453, 0.90547));
        near(interval(0, 0), (0.0, 1.0));
    }

    #[test]
    fn what_is_not_seen_is_small() {
        assert!((least_seen(100) - 0.045).abs() < 0.0005);
        assert!((least_seen(0) - 1.0).abs() < 1e-12);
        let missed = (1.0 - least_seen(30)).powi(30);
        assert!((missed - 0.01).abs() < 1e-9);
    }
}
