//! The exit codes beside 0, and why nothing was found.

/// Serialized or limited requests, an uneven spread, or something that is not as expected.
pub(super) const NO: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;
/// The measurement does not show it.
pub(super) const INCONCLUSIVE: u8 = 3;
/// The probe itself failed: it could not begin to measure, or what it found could not be written. That says nothing
/// about the server, so that no verdict has this code.
pub(super) const FAILED: u8 = 4;

/// Why nothing was found: what is said, and the exit code.
pub(super) struct Failed {
    pub(super) message: String,
    pub(super) code: u8,
}

impl Failed {
    /// The options, or what they name, cannot be used.
    pub(super) fn usage(error: &(impl ToString + ?Sized)) -> Self {
        Self {
            message: error.to_string(),
            code: USAGE,
        }
    }

    /// The measurement could not begin, or its report has no form in which it can be written.
    pub(super) fn measuring(error: &(impl ToString + ?Sized)) -> Self {
        Self {
            message: error.to_string(),
            code: FAILED,
        }
    }
}
