//! What is probed: a URL, and the URLs made of it that nobody has asked for before.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use url::Url;

/// A URL that can be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    token: String,
}

/// A URL that cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It cannot be read.
    #[error(
        "the URL {given:?} cannot be read: {cause}; allowed: a URL such as http://localhost:8080/path"
    )]
    Unreadable {
        /// What was given.
        given: String,
        /// What is wrong with it.
        #[source]
        cause: url::ParseError,
    },
    /// It is not of the web.
    #[error("the URL {given:?} has the scheme {scheme}; allowed: http, https")]
    Scheme {
        /// What was given.
        given: String,
        /// Its scheme.
        scheme: String,
    },
    /// It has a user name or a password, which would be shown wherever the URL is.
    #[error("the URL has a user name or a password; give them as a header: -H 'Authorization: …'")]
    Credentials,
}

impl Target {
    /// Reads a URL; one without a scheme gets `http://`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is neither `http` nor `https`, or has credentials.
    ///
    /// ```
    /// use holdup::probe::Target;
    ///
    /// let target = Target::parse("localhost:8080/report?from=5#top")?;
    /// assert_eq!(target.url().as_str(), "http://localhost:8080/report?from=5");
    /// assert!(target.unique("1").as_str().starts_with("http://localhost:8080/report?from=5&x="));
    /// # Ok::<_, holdup::probe::BadUrl>(())
    /// ```
    pub fn parse(given: &str) -> Result<Self, BadUrl> {
        let whole = if given.contains("://") {
            given.to_owned()
        } else {
            format!("http://{given}")
        };
        let url = Url::parse(&whole).map_err(|cause| BadUrl::Unreadable {
            given: given.to_owned(),
            cause,
        })?;
        Self::new(url, token())
    }

    fn new(mut url: Url, token: String) -> Result<Self, BadUrl> {
        if !is_web(&url) {
            return Err(BadUrl::Scheme {
                given: url.to_string(),
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::Credentials);
        }
        // It is never sent.
        url.set_fragment(None);
        Ok(Self { url, token })
    }

    /// Where a redirect leads: the same run's token, and no label left of a URL made unique.
    ///
    /// # Errors
    ///
    /// As for [`Target::parse`].
    pub fn redirected(&self, from: &Url, location: &str) -> Result<Self, BadUrl> {
        let to = from.join(location).map_err(|cause| BadUrl::Unreadable {
            given: location.to_owned(),
            cause,
        })?;
        let mut to = Self::new(to, self.token.clone())?;
        let ours = format!("={}-", self.token);
        if let Some(query) = to.url.query().map(str::to_owned) {
            let kept: Vec<_> = query
                .split('&')
                .filter(|pair| !pair.contains(&ours))
                .collect();
            let kept = kept.join("&");
            to.url
                .set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
        }
        Ok(to)
    }

    /// The URL as it was given.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is to be asked over TLS.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL with `x=<token>-<label>` added to its query, or another name where `x` is taken. The
    /// token is of this run, so that no cache has seen the URL before.
    pub fn unique(&self, label: impl fmt::Display) -> Url {
        let taken = |name: &str| self.url.query_pairs().any(|(taken, _)| taken == name);
        let mut name = "x".to_owned();
        let mut number = 1_usize;
        while taken(&name) {
            number += 1;
            name = format!("x{number}");
        }
        let added = format!("{name}={}-{label}", self.token);
        let query = match self.url.query() {
            None | Some("") => added,
            Some(query) => format!("{query}&{added}"),
        };
        let mut url = self.url.clone();
        url.set_query(Some(&query));
        url
    }
}

/// Whether a URL is of the web: `http` or `https`.
pub fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Four letters and digits, new each time: one in 1.7 million is short in a picture, and seldom met
/// again while a cache remembers it. The standard library seeds its hasher from the system's
/// randomness; nobody has to be unable to guess it.
fn token() -> String {
    let mut random = RandomState::new().build_hasher().finish();
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |_| {
        let digit = digits[(random % 36) as usize];
        random /= 36;
        char::from(digit)
    };
    (0..4).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(url: &str) -> String {
        let target = Target::parse(url).expect("a URL");
        let token = target.token.clone();
        target.unique(1).as_str().replace(&token, "TOKEN")
    }

    #[test]
    fn a_label_joins_whatever_query_there_is() {
        for (url, expected) in [
            ("localhost", "http://localhost/?x=TOKEN-1"),
            ("localhost:81/a", "http://localhost:81/a?x=TOKEN-1"),
            ("https://[::1]/a?", "https://[::1]/a?x=TOKEN-1"),
            ("http://h/a?b=c&d", "http://h/a?b=c&d&x=TOKEN-1"),
            ("http://h/a?b=%20+#top?", "http://h/a?b=%20+&x=TOKEN-1"),
            ("http://h/a?x=1", "http://h/a?x=1&x2=TOKEN-1"),
            ("http://h/a?x&x2=", "http://h/a?x&x2=&x3=TOKEN-1"),
        ] {
            assert_eq!(unique(url), expected, "{url}");
        }
    }

    #[test]
    fn every_run_has_its_own_token() {
        let token = || Target::parse("h").expect("a URL").token;
        let one = token();
        assert_eq!(one.len(), 4);
        assert!((0..3).any(|_| token() != one));
    }

    #[test]
    fn what_cannot_be_probed_is_refused_with_what_is_allowed() {
        for (url, told) in [
            ("ftp://h/", "the scheme ftp; allowed: http, https"),
            ("http://", "empty host"),
            ("http://h:99999/", "invalid port"),
            ("http://user:secret@h/", "-H 'Authorization"),
            ("", "cannot be read"),
        ] {
            let error = Target::parse(url).expect_err(url).to_string();
            assert!(error.contains(told), "{url}: {error}");
            assert!(!error.contains("secret"));
        }
    }

    #[test]
    fn a_redirect_does_not_keep_the_label() {
        let target = Target::parse("http://h/a?b=c").expect("a URL");
        let asked = target.unique("warm");
        let to = |location: &str| {
            let location = location.replace("TOKEN", &target.token);
            let to = target.redirected(&asked, &location).expect("a URL");
            assert_eq!(to.token, target.token);
            to.url.to_string()
        };
        assert_eq!(to("https://h/a?b=c&x=TOKEN-warm"), "https://h/a?b=c");
        assert_eq!(to("/a/?x=TOKEN-warm&b=c"), "http://h/a/?b=c");
        assert_eq!(to("z?x=TOKEN-warm"), "http://h/z");
        assert_eq!(to("//other/?x=1"), "http://other/?x=1");
    }
}
