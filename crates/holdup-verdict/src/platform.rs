//! The platform that a server names in its headers. The advice depends on it.

/// How a server runs its requests, as far as its headers show.
///
/// It only affects the [advice](super::Verdict::advice), because a header may be wrong, or come from a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Platform {
    /// The headers do not show it.
    #[default]
    Unknown,
    /// All requests of a worker share one event loop: Node.js, Tornado, uvicorn.
    EventLoop,
    /// A process for each request: PHP.
    Php,
    /// A fixed number of processes, each of which usually serves one request at a time: gunicorn, Passenger.
    Processes,
    /// Usually a thread for each request: Java, .NET, Python's threaded servers.
    Threads,
    /// A goroutine for each request: Go.
    Go,
}

/// Words of `Server` or `X-Powered-By`, in lower case. Names of languages come before names of servers,
/// because Apache in front of PHP sends both. Servers that are commonly used as proxies are not listed.
const KNOWN: &[(&str, Platform)] = &[
    ("php", Platform::Php),
    ("express", Platform::EventLoop),
    ("next.js", Platform::EventLoop),
    ("tornadoserver", Platform::EventLoop),
    ("uvicorn", Platform::EventLoop),
    ("hypercorn", Platform::EventLoop),
    ("granian", Platform::EventLoop),
    ("daphne", Platform::EventLoop),
    ("aiohttp", Platform::EventLoop),
    ("twistedweb", Platform::EventLoop),
    ("gunicorn", Platform::Processes),
    ("passenger", Platform::Processes),
    ("unicorn", Platform::Processes),
    ("servlet", Platform::Threads),
    ("jsp", Platform::Threads),
    ("coyote", Platform::Threads),
    ("jetty", Platform::Threads),
    ("undertow", Platform::Threads),
    ("tomcat", Platform::Threads),
    ("glassfish", Platform::Threads),
    ("asp.net", Platform::Threads),
    ("kestrel", Platform::Threads),
    ("waitress", Platform::Threads),
    ("werkzeug", Platform::Threads),
    ("puma", Platform::Threads),
    ("fasthttp", Platform::Go),
];

impl Platform {
    /// Reads the values of the headers `Server` and `X-Powered-By`, in any order.
    ///
    /// ```
    /// use holdup_verdict::Platform;
    ///
    /// assert_eq!(Platform::of(["Apache/2.4.57", "PHP/8.2.7"]), Platform::Php);
    /// assert_eq!(Platform::of(["nginx"]), Platform::Unknown);
    /// ```
    pub fn of<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let headers: Vec<_> = headers.into_iter().collect();
        let between = |c: char| !c.is_ascii_alphanumeric() && c != '.';
        let named = |(name, _): &&(&str, Self)| {
            let mut words = headers.iter().flat_map(|header| header.split(between));
            words.any(|word| word.eq_ignore_ascii_case(name))
        };
        KNOWN
            .iter()
            .find(named)
            .map_or(Self::Unknown, |known| known.1)
    }

    /// Advice for requests that run one at a time; `None` means the cures for a blocked event loop.
    pub(super) fn one_at_a_time(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::EventLoop => None,
            Self::Php => Some(
                "PHP serves each request in a process of its own. Look first at the session: \
                 session_start() locks it until the request ends or calls session_write_close(). \
                 The built-in server (php -S) serves one at a time unless PHP_CLI_SERVER_WORKERS \
                 is set, and php-fpm as many as pm.max_children.",
            ),
            Self::Processes => Some(
                "Each worker process of this server usually serves one request at a time: start more \
                 workers, or workers with threads (gunicorn: --workers, --threads).",
            ),
            Self::Threads => Some(
                "This server usually has a thread for each request, so look for what they wait for: a \
                 synchronized method or a lock, a connection pool or an executor of one, an \
                 interpreter's lock.",
            ),
            Self::Go => Some(
                "Go has a goroutine for each request, so look for what they wait for: a mutex that \
                 is held all the time, db.SetMaxOpenConns(1), a channel without room.",
            ),
        }
    }

    /// Advice for requests of which several run at a time, but not all.
    pub(super) fn several_at_a_time(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::EventLoop => None,
            Self::Php => Some(
                "PHP serves as many requests at a time as it has processes: pm.max_children of \
                 php-fpm, PHP_CLI_SERVER_WORKERS and one more of php -S, MaxRequestWorkers of Apache.",
            ),
            Self::Processes => Some(
                "Each worker process of this server usually serves one request at a time, or one in each of \
                 its threads: start more of them (gunicorn: --workers, --threads).",
            ),
            Self::Threads => Some(
                "This server has a pool of threads, and what its requests use may have pools of its \
                 own: look at the sizes of the thread pool, the connection pool and executors.",
            ),
            Self::Go => Some(
                "Go has a goroutine for each request, so the limit is something that they share: \
                 db.SetMaxOpenConns, a semaphore, a worker pool, GOMAXPROCS if they compute.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_takes_precedence_over_a_server() {
        for (headers, platform) in [
            (&["Werkzeug/3.0.1 Python/3.11.7"][..], Platform::Threads),
            (&["PHP/8.2.7", "Apache-Coyote/1.1"], Platform::Php),
            (&["TornadoServer/6.4"], Platform::EventLoop),
            (&["cloudflare", "Express"], Platform::EventLoop),
            (&["gunicorn"], Platform::Processes),
            (&["Kestrel"], Platform::Threads),
            (&["fasthttp"], Platform::Go),
            (&["Jetty(9.4.53.v20231009)"], Platform::Threads),
            (&["hypercorn-h11"], Platform::EventLoop),
            (&["ExpressionEngine"], Platform::Unknown),
            (&["Caddy"], Platform::Unknown),
            (&["nginx/1.22.1"], Platform::Unknown),
            (&[], Platform::Unknown),
        ] {
            assert_eq!(
                Platform::of(headers.iter().copied()),
                platform,
                "{headers:?}"
            );
        }
    }
}
