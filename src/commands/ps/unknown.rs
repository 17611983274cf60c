//! Why it is not known where some requests wait.

/// The sentence about this many requests; `None` if there are none. `why_no_lines` is the reason that the app's
/// console gave. `is_known` is whether it is known of others where they wait.
pub(super) fn sentence(
    requests: usize,
    why_no_lines: Option<&str>,
    is_known: bool,
) -> Option<String> {
    let wait = match requests {
        0 => return None,
        1 => "1 request waits".to_owned(),
        several => format!("{several} requests wait"),
    };
    Some(match (why_no_lines, is_known) {
        (Some(why), _) => format!("It is not known where {wait}: {why}."),
        (None, true) => format!(
            "It is not known yet where {wait}: a worker that is busy does not answer, and an app asks at most \
             256 requests in a second."
        ),
        (None, false) => format!(
            "It is not known where {wait}: the app has to be built with the feature `stacks` of holdup-watch, \
             and a worker that is busy does not answer."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_the_app_comes_first() {
        let stripped = Some("the program is stripped");
        assert_eq!(sentence(0, stripped, false), None);
        assert_eq!(
            sentence(1, stripped, true).as_deref(),
            Some("It is not known where 1 request waits: the program is stripped.")
        );
        let none = sentence(2, None, false).expect("a sentence");
        assert!(
            none.starts_with("It is not known where 2 requests wait: ")
                && none.contains("the feature `stacks`"),
            "{none}"
        );
        let some = sentence(1, None, true).expect("a sentence");
        assert!(
            some.starts_with("It is not known yet where 1 request waits: "),
            "{some}"
        );
    }
}
