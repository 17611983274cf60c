//! Why it is not known where some requests wait.

/// The sentence about this many requests; `None` if there are none. `why_no_lines` is the reason that the app's
/// console gave.
pub(super) fn sentence(requests: usize, why_no_lines: Option<&str>) -> Option<String> {
    let (wait, why) = match requests {
        0 => return None,
        1 => (
            "1 request waits".to_owned(),
            "its worker is busy, it was not asked yet (at most 256 in a second), it has gone on since, or what it waits \
             for keeps no waker",
        ),
        several => (
            format!("{several} requests wait"),
            "their worker is busy, they were not asked yet (at most 256 in a second), they have gone on since, \
             or what they wait for keeps no waker",
        ),
    };
    let why = why_no_lines.unwrap_or(why);
    Some(format!("It is not known where {wait}: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_the_app_comes_first() {
        let stripped = Some("the program is stripped");
        assert_eq!(sentence(0, stripped), None);
        assert_eq!(
            sentence(1, stripped).as_deref(),
            Some("It is not known where 1 request waits: the program is stripped.")
        );
    }

    #[test]
    fn without_a_reason_of_the_app_it_is_one_of_those_that_a_request_may_have() {
        assert_eq!(
            sentence(1, None).as_deref(),
            Some(
                "It is not known where 1 request waits: its worker is busy, it was not asked yet (at most 256 in a \
                 second), it has gone on since, or what it waits for keeps no waker."
            )
        );
        assert_eq!(
            sentence(2, None).as_deref(),
            Some(
                "It is not known where 2 requests wait: their worker is busy, they were not asked yet (at most 256 \
                 in a second), they have gone on since, or what they wait for keeps no waker."
            )
        );
    }
}
