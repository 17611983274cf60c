//! Detects that one answer may have served requests with different URLs.
//!
//! A cache, or a server that merges waiting requests into one, may ignore the query. All concurrent requests
//! are then answered together, as if they had run at the same time.

use holdup_model::{Lane, Timeline};

/// Returns a sentence that says why one answer may have served all of the concurrent requests in `unique`, or
/// `None` if nothing suggests it. `alone` are the requests that were sent one after the other.
pub fn one_answer(alone: &[Lane], unique: &Timeline) -> Option<String> {
    let lanes = &unique.lanes;
    let kept = || lanes.iter().filter_map(Lane::cache_header);
    if let Some(header) = kept().next() {
        return Some(format!(
            "{} of {} answers say that they come from a cache ({header}), although nobody can have asked for \
             their URLs before: one answer may have been given to all.",
            kept().count(),
            lanes.len(),
        ));
    }
    let first = lanes.first().filter(|first| first.bytes() > 0)?;
    let one_body = lanes.len() > 1 && lanes.iter().all(|lane| lane.same_body(first));
    let differs = |pair: &[Lane]| !pair[0].same_body(&pair[1]);
    (one_body && alone.windows(2).any(differs)).then(|| {
        "All concurrent answers are the same to the byte, although those to single requests differed: one \
         answer may have been given to all, unless only the time of day differs."
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::with_body;

    fn told(alone: [&str; 2], at_once: [&str; 3]) -> Option<String> {
        let alone = alone.map(|body| with_body(300, body));
        let at_once = at_once.map(|body| with_body(300, body));
        one_answer(&alone, &Timeline::from(at_once.to_vec()))
    }

    #[test]
    fn one_body_for_all_is_reported_if_bodies_can_differ() {
        let one = told(["1", "2"], ["3", "3", "3"]).expect("it is told");
        assert!(
            one.starts_with("All concurrent answers are the same"),
            "{one}"
        );
        assert_eq!(told(["1", "2"], ["3", "4", "5"]), None);
        assert_eq!(told(["1", "2"], ["3", "3", "4"]), None);
        assert_eq!(told(["same", "same"], ["same", "same", "same"]), None);
        assert_eq!(told(["1", "2"], ["", "", ""]), None, "nothing to compare");
    }

    #[test]
    fn a_cache_header_is_reported() {
        let alone = [with_body(300, "same"), with_body(300, "same")];
        let mut at_once = vec![with_body(300, "same"); 3];
        at_once[1].record_cache_header("Age: 12");
        let told = one_answer(&alone, &at_once.into()).expect("it is told");
        assert!(told.starts_with("1 of 3 answers say"), "{told}");
        assert!(told.contains("(Age: 12)"), "{told}");
    }
}
