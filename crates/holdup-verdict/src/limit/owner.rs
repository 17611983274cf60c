//! Numbers that are well known as the limit of something. They are named as a guess, and only if the limit is
//! exactly that number.

/// The threads that all actix workers have together for blocking calls, unless an app sets another number.
const ACTIX_THREADS: usize = 512;

/// The most threads of Python's default executor, which has four more than there are cores.
const PYTHON_THREADS: usize = 32;

/// Names what is known to have exactly this limit, as a sentence. `cores` is how many the server's machine has,
/// if that is known.
pub(super) fn sentence(at_a_time: usize, cores: Option<usize>) -> Option<String> {
    // One is the number of too many things.
    let cores = cores.filter(|cores| *cores > 0 && at_a_time > 1);
    let mut names: Vec<_> = known(at_a_time).into_iter().collect();
    if cores == Some(at_a_time) {
        names.push("the number of this machine's cores");
    }
    if cores.is_some_and(|cores| (ACTIX_THREADS / cores).max(1) == at_a_time) {
        names.push("the number of threads that an actix worker has here for blocking calls");
    }
    if cores.is_some_and(|cores| (cores + 4).min(PYTHON_THREADS) == at_a_time) {
        names.push(
            "the number of threads of Python's default executor here, as for asyncio.to_thread",
        );
    }
    (!names.is_empty()).then(|| format!("{at_a_time} is also {}.", names.join(", and ")))
}

fn known(at_a_time: usize) -> Option<&'static str> {
    Some(match at_a_time {
        4 => "the number of threads in Node's pool",
        6 => "the number of connections that a browser opens to a host",
        10 => "the size of sqlx's pool of connections",
        15 => "the size of SQLAlchemy's pool of connections with its overflow",
        40 => "the number of AnyIO's threads, on which FastAPI and Starlette run plain functions",
        100 => "the usual number of streams on an HTTP/2 connection",
        200 => "the number of Tomcat's threads",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_match_is_named() {
        let anyio = sentence(40, Some(2)).expect("it is known");
        assert!(
            anyio.starts_with("40 is also the number of AnyIO's threads"),
            "{anyio}"
        );
        for (at_a_time, cores, named) in [
            (39, Some(2), None),
            (41, None, None),
            (1, Some(1), None),
            (2, None, None),
            (2, Some(0), None),
            (2, Some(2), Some("this machine's cores")),
            (64, Some(8), Some("an actix worker")),
            (64, None, None),
            (5, Some(1), Some("Python's default executor")),
            (32, Some(64), Some("Python's default executor")),
            (
                4,
                Some(4),
                Some("Node's pool, and the number of this machine's cores"),
            ),
        ] {
            let sentence = sentence(at_a_time, cores);
            match named {
                None => assert_eq!(sentence, None, "{at_a_time} {cores:?}"),
                Some(named) => {
                    let sentence = sentence.unwrap_or_default();
                    assert!(sentence.contains(named), "{sentence}");
                }
            }
        }
    }
}
