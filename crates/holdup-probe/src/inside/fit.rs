//! Whether a route of the app is the one that was probed. The prober knows a path, the app a pattern:
//! `/users/7` is `/users/{id}`.

/// How well a route fits a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It is another route.
    No,
    /// One is the end of the other: a proxy adds or removes the beginning of the path.
    End,
    /// The pattern is that of the whole path.
    Whole,
}

/// How well a route's pattern, in the syntax of actix-web, fits the path of a URL.
pub(super) fn fit(pattern: &str, path: &str) -> Fit {
    let (pattern, path) = (pieces(pattern), pieces(path));
    if all_match(&pattern, &path) {
        return Fit::Whole;
    }
    let ends = |pattern: &[&str], path: &[&str]| {
        // An end without a word of its own fits anything.
        let is_named = pattern.iter().any(|piece| !is_variable(piece));
        is_named && all_match(pattern, path)
    };
    let (long, short) = (pattern.len(), path.len());
    let is_end = if long < short {
        ends(&pattern, &path[short - long..])
    } else {
        ends(&pattern[long - short..], &path)
    };
    if is_end { Fit::End } else { Fit::No }
}

fn is_variable(piece: &str) -> bool {
    piece.contains('{')
}

/// Whether a piece takes all that is left of a path: `{tail:.*}`, or `{tail}*` in older notation.
fn is_tail(piece: &str) -> bool {
    piece.ends_with("}*") || piece.ends_with(":.*}") || piece.ends_with(":.+}")
}

fn all_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([tail], _) if is_tail(tail) => true,
        ([first, pattern @ ..], [word, path @ ..]) => {
            (is_variable(first) && !word.is_empty() || first == word) && all_match(pattern, path)
        }
        _ => false,
    }
}

/// The parts between slashes; not those in braces, where a slash belongs to a regular expression. A slash at
/// the end makes no part of its own.
fn pieces(path: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Vec::new();
    }
    path.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_the_route_whose_pattern_it_has() {
        for (pattern, path, expected) in [
            ("/report", "/report", Fit::Whole),
            ("/report", "/report/", Fit::Whole),
            ("/", "/", Fit::Whole),
            ("/", "", Fit::Whole),
            ("/users/{id}", "/users/7", Fit::Whole),
            ("/users/{id:[0-9/]{1,3}}/x", "/users/7/x", Fit::Whole),
            ("/users/{id}.json", "/users/7.json", Fit::Whole),
            ("/files/{tail:.*}", "/files/a/b/c", Fit::Whole),
            ("/files/{tail}*", "/files/a/b", Fit::Whole),
            ("/files/{tail:.*}", "/files", Fit::Whole),
            ("/report", "/api/v1/report", Fit::End),
            ("/v1/report", "/report", Fit::End),
            ("/users/{id}", "/api/users/7", Fit::End),
            ("/report", "/reports", Fit::No),
            ("/other", "/report", Fit::No),
            ("/users/{id}", "/users", Fit::No),
            ("/{any}", "/api/report", Fit::No),
            ("/", "/report", Fit::No),
            ("/report", "/", Fit::No),
            ("/report", "/report/7", Fit::No),
            ("unmatched", "/report", Fit::No),
            ("/{tail:.*}", "/report", Fit::Whole),
            ("/{", "/report", Fit::Whole),
        ] {
            assert_eq!(fit(pattern, path), expected, "{pattern} {path}");
        }
    }
}
