//! The exit codes, beside 0.

/// Serialized or limited requests, an uneven spread, something that is not as expected, or a probe that failed.
pub(super) const NO: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;
/// The measurement does not show it.
pub(super) const INCONCLUSIVE: u8 = 3;
