//! The functions behind the chances: factorials, and the upper tail of the chi-square distribution.

/// The natural logarithms of the factorials of 0 to `most`.
pub(super) fn ln_factorials(most: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut all = Vec::with_capacity(most + 1);
    all.push(sum);
    for number in 1..=most {
        sum += float(number).ln();
        all.push(sum);
    }
    all
}

/// The chance that a chi-square variable with `freedom` degrees of freedom is at least `statistic`: the
/// regularized incomplete gamma function Q(freedom/2, statistic/2).
///
/// It is a power series below the bend of the curve, and a continued fraction above it (NIST Digital Library of
/// Mathematical Functions, 8.7.1 and 8.9.2).
pub(super) fn chi_square_tail(statistic: f64, freedom: usize) -> f64 {
    let (a, x) = (float(freedom) / 2.0, statistic / 2.0);
    if x <= 0.0 || freedom == 0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln_gamma_of_half(freedom)).exp();
    let tail = if x < a + 1.0 {
        1.0 - scale * series(a, x)
    } else {
        scale * fraction(a, x)
    };
    tail.clamp(0.0, 1.0)
}

/// The logarithm of the gamma function at `halves / 2`, for one or more halves.
fn ln_gamma_of_half(halves: usize) -> f64 {
    // Γ(1/2) = √π, Γ(1) = 1, and Γ(z + 1) = z Γ(z).
    let (mut sum, mut at) = if halves % 2 == 1 {
        (std::f64::consts::PI.ln() / 2.0, 1)
    } else {
        (0.0, 2)
    };
    while at < halves {
        sum += (float(at) / 2.0).ln();
        at += 2;
    }
    sum
}

/// More terms than any argument that occurs here needs.
const MOST_TERMS: usize = 100_000;

fn series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for number in 1..MOST_TERMS {
        term *= x / (a + float(number));
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// The continued fraction, from its front, by the modified method of Lentz.
fn fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut term = x + 1.0 - a;
    let mut above = 1.0 / TINY;
    let mut below = 1.0 / term;
    let mut result = below;
    for number in 1..MOST_TERMS {
        let factor = float(number) * (a - float(number));
        term += 2.0;
        below = 1.0 / not_zero(factor * below + term, TINY);
        above = not_zero(term + factor / above, TINY);
        let change = above * below;
        result *= change;
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    result
}

fn not_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// A count as a number to calculate with. Counts here are far below 2⁵².
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_published_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4: upper critical values.
        for (freedom, statistic, chance) in [
            (1, 2.706, 0.1),
            (1, 10.828, 0.001),
            (2, 5.991, 0.05),
            (3, 11.345, 0.01),
            (4, 18.467, 0.001),
            (10, 18.307, 0.05),
            (30, 59.703, 0.001),
            (100, 124.342, 0.05),
        ] {
            let found = chi_square_tail(statistic, freedom);
            assert!(
                (found / chance - 1.0).abs() < 0.005,
                "{freedom} {statistic}: {found}"
            );
        }
        // With two degrees of freedom, it is exp(-x/2).
        for statistic in [0.1_f64, 3.0, 50.0, 600.0] {
            let found = chi_square_tail(statistic, 2);
            let exact = (-statistic / 2.0).exp();
            assert!((found / exact - 1.0).abs() < 1e-9, "{statistic}: {found}");
        }
        assert_eq!(chi_square_tail(0.0, 5).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn factorials_add_up() {
        let all = ln_factorials(5);
        assert_eq!(all.len(), 6);
        assert!((all[5] - 120_f64.ln()).abs() < 1e-12, "{all:?}");
    }
}
