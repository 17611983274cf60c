//! The target of a probe: a URL, and URLs made from it that nobody has requested before.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use url::{Position, Url};

use super::template::Template;

/// Replaces `{}` in a URL while it is parsed, because braces in a path would be encoded.
const PLACE: &str = "holdup-puts-a-label-here";

/// The same for `{{}}` while the URL is made that is shown.
const PLAIN: &str = "holdup-puts-braces-here";

/// A URL that can be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was given, with a plain `{}` for each place of a label.
    url: Url,
    /// The same in normalized form, with `{}` and `{{}}` where they were given.
    shown: String,
    /// The URL with [`PLACE`] where the label belongs, if it has a place for it.
    template: Option<Url>,
    token: String,
}

/// A URL that cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUrl {
    /// The URL cannot be parsed.
    #[error(
        "the URL {given:?} cannot be read: {why}; use a URL such as http://localhost:8080/path"
    )]
    Unreadable {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// The scheme is neither `http` nor `https`.
    #[error("the URL {given:?} has the scheme {scheme}; allowed: http, https")]
    Scheme {
        /// What was given.
        given: String,
        /// Its scheme.
        scheme: String,
    },
    /// The URL has `{}` where requests cannot differ.
    #[error(
        "the URL {given:?} has {{}} in its host or port; allowed: {{}} in its path or its query, such \
         as http://localhost:8080/item/{{}}"
    )]
    Place {
        /// What was given.
        given: String,
    },
    /// The URL has a user name or a password, which would be printed with it.
    #[error(
        "the URL has a user name or a password, which would be printed with the URL; send them in an \
         Authorization header instead"
    )]
    Credentials,
}

impl Target {
    /// Reads a URL; one without a scheme gets `http://`. In its path and its query, `{}` is where the
    /// URLs of a run differ, and `{{}}` a plain `{}`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is neither `http` nor `https`, has credentials, or `{}` in its host.
    ///
    /// ```
    /// use holdup_probe::Target;
    ///
    /// let target = Target::parse("localhost:8080/report?from=5#top")?;
    /// assert_eq!(target.url(), "http://localhost:8080/report?from=5");
    ///
    /// let error = Target::parse("ftp://localhost/").unwrap_err();
    /// assert!(error.to_string().ends_with("has the scheme ftp; allowed: http, https"));
    /// # Ok::<_, holdup_probe::BadUrl>(())
    /// ```
    pub fn parse(given: &str) -> Result<Self, BadUrl> {
        let whole = if given.contains("://") {
            given.to_owned()
        } else {
            format!("http://{given}")
        };
        // A fragment is never sent.
        let whole = whole.split('#').next().unwrap_or_default();
        let host = whole.find("://").map_or(0, |scheme| scheme + "://".len());
        let path = whole[host..].find(['/', '?', '\\']);
        let path = path.map_or(whole.len(), |path| host + path);
        let (host, path) = whole.split_at(path);
        if host.contains("{}") {
            let given = given.to_owned();
            return Err(BadUrl::Place { given });
        }
        let filled = |template: &Template, label: &str| {
            let path = template.with(label);
            let whole = format!("{host}{}", String::from_utf8_lossy(&path));
            Url::parse(&whole).map_err(|error| BadUrl::Unreadable {
                given: given.to_owned(),
                why: error.to_string(),
            })
        };
        let template = Template::of(path.as_bytes());
        let mut target = Self::new(filled(&template, "{}")?, token())?;
        if template.has_places() {
            target.template = Some(filled(&template, PLACE)?);
        }
        let shown = Template::of(path.replace("{{}}", PLAIN).as_bytes());
        let shown = filled(&shown, PLACE)?.to_string();
        target.shown = shown.replace(PLACE, "{}").replace(PLAIN, "{{}}");
        Ok(target)
    }

    fn new(mut url: Url, token: String) -> Result<Self, BadUrl> {
        if !is_web(url.scheme()) {
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
        Ok(Self {
            shown: plain(url.as_str()),
            url,
            template: None,
            token,
        })
    }

    /// The target that a redirect leads to. It keeps the run's token. A label that was added to make a URL
    /// unique is removed; a label that replaced `{}` becomes `{}` again.
    ///
    /// # Errors
    ///
    /// As for [`Target::parse`].
    pub(super) fn redirected(&self, from: &Url, location: &str) -> Result<Self, BadUrl> {
        let unreadable = |error: url::ParseError| BadUrl::Unreadable {
            given: location.to_owned(),
            why: error.to_string(),
        };
        let to = from.join(location).map_err(unreadable)?;
        let mut to = Self::new(to, self.token.clone())?;
        let path = &to.url[Position::BeforePath..];
        if let Some(pieces) = self
            .between_labels(path)
            .filter(|_| self.template.is_some())
        {
            let host = &to.url[..Position::BeforePath];
            let with = |place: &str| {
                Url::parse(&format!("{host}{}", pieces.join(place))).map_err(unreadable)
            };
            let (template, url) = (with(PLACE)?, with("{}")?);
            to.shown = plain(template.as_str()).replace(PLACE, "{}");
            to.template = Some(template);
            to.url = url;
            return Ok(to);
        }
        let ours = format!("={}-", self.token);
        if let Some(query) = to.url.query().map(str::to_owned) {
            let kept: Vec<_> = query
                .split('&')
                .filter(|pair| !pair.contains(&ours))
                .collect();
            let kept = kept.join("&");
            to.url
                .set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
            to.shown = plain(to.url.as_str());
        }
        Ok(to)
    }

    /// The parts of `text` between this run's labels, or `None` if it has no label.
    fn between_labels<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let ours = format!("{}-", self.token);
        let mut pieces = text.split(ours.as_str());
        let first = pieces.next()?;
        let rest =
            pieces.map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
        let pieces: Vec<_> = std::iter::once(first).chain(rest).collect();
        (pieces.len() > 1).then_some(pieces)
    }

    /// The URL in normalized form. As in what [`parse`](Self::parse) reads, `{}` is where the URLs of a run differ, and
    /// `{{}}` a plain `{}`.
    pub fn url(&self) -> &str {
        &self.shown
    }

    /// The same without the query.
    pub(super) fn page(&self) -> &str {
        let query = self.shown.find('?');
        &self.shown[..query.unwrap_or(self.shown.len())]
    }

    pub(super) fn parsed(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.url[..Position::BeforePath]
    }

    /// Whether it is to be asked over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// This run's name for one of its requests, `<token>-<label>`. The token is new for each run, so no cache
    /// knows it.
    pub(super) fn label(&self, label: impl fmt::Display) -> String {
        format!("{}-{label}", self.token)
    }

    /// The URL with the [label](Target::label) where `{}` stood in it. Without such a place the label
    /// is added to its query, as `x`, or by another name where `x` is taken.
    pub(super) fn unique(&self, label: impl fmt::Display) -> Url {
        let label = self.label(label);
        if self.template.is_some() {
            return self.filled(&label);
        }
        let taken = |name: &str| self.url.query_pairs().any(|(taken, _)| taken == name);
        let mut name = "x".to_owned();
        let mut number = 1_usize;
        while taken(&name) {
            number += 1;
            name = format!("x{number}");
        }
        let added = format!("{name}={label}");
        let query = match self.url.query() {
            None | Some("") => added,
            Some(query) => format!("{query}&{added}"),
        };
        let mut url = self.url.clone();
        url.set_query(Some(&query));
        url
    }

    /// The URL with a whole label where `{}` stood in it, and nothing added.
    pub(super) fn filled(&self, label: &str) -> Url {
        let mut url = self.url.clone();
        if let Some(template) = &self.template {
            url.set_path(&template.path().replace(PLACE, label));
            let query = template.query().map(|query| query.replace(PLACE, label));
            url.set_query(query.as_deref());
        }
        url
    }

    /// Where in the URL the label is put, in words.
    pub(super) fn places(&self) -> Vec<String> {
        let Some(template) = &self.template else {
            return Vec::new();
        };
        let in_query = template.query().is_some_and(|query| query.contains(PLACE));
        let places = [
            (template.path().contains(PLACE), "the URL's path"),
            (in_query, "the URL's query"),
        ];
        let places = places.into_iter().filter(|(is_one, _)| *is_one);
        places.map(|(_, place)| place.to_owned()).collect()
    }
}

/// A URL without places, as it is to be written.
fn plain(url: &str) -> String {
    url.replace("{}", "{{}}")
}

/// Whether a URL's scheme is one that can be probed: `http` or `https`, in lower case.
pub fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

/// Four letters and digits, new each time: one in 1.7 million. They are short in a picture, and rarely repeat
/// while a cache remembers them. The standard library seeds its hasher from the system's randomness; the
/// token need not be hard to guess.
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
    fn a_label_is_added_to_any_query() {
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
    fn a_label_replaces_braces() {
        for (url, shown, expected) in [
            ("h/a/{}/b", "http://h/a/{}/b", "http://h/a/TOKEN-1/b"),
            (
                "h/a?b={}&c={}",
                "http://h/a?b={}&c={}",
                "http://h/a?b=TOKEN-1&c=TOKEN-1",
            ),
            ("h?{}", "http://h/?{}", "http://h/?TOKEN-1"),
            (
                "h/{}?x={}#{}",
                "http://h/{}?x={}",
                "http://h/TOKEN-1?x=TOKEN-1",
            ),
            // Plain ones; the label is added.
            (
                "h/{{}}?a={{}}",
                "http://h/{{}}?a={{}}",
                "http://h/%7B%7D?a={}&x=TOKEN-1",
            ),
            ("h/{{}}/{}", "http://h/{{}}/{}", "http://h/%7B%7D/TOKEN-1"),
            ("h/#{}", "http://h/", "http://h/?x=TOKEN-1"),
            (
                "h/%7B%7D/{{{}}}",
                "http://h/%7B%7D/%7B{{}}%7D",
                "http://h/%7B%7D/%7B%7B%7D%7D?x=TOKEN-1",
            ),
            ("h//{}", "http://h//{}", "http://h//TOKEN-1"),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!(target.url(), shown, "{url}");
            assert_eq!(unique(url), expected, "{url}");
            assert_eq!(unique(shown), expected, "what is shown can be given again");
        }
        for url in ["{}.h/", "http://{}", "h:{}/", "http://{}@h/{}"] {
            let error = Target::parse(url).expect_err(url).to_string();
            assert!(
                error.contains("allowed: {} in its path or its query"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_redirect_that_keeps_the_label_keeps_its_place() {
        let target = Target::parse("http://h/a/{}").expect("a URL");
        let asked = target.unique("warm");
        let to = |location: &str| {
            let location = location.replace("TOKEN", &target.token);
            let to = target.redirected(&asked, &location).expect("a URL");
            to.unique(1).as_str().replace(&target.token, "TOKEN")
        };
        assert_eq!(to("/a/TOKEN-warm/"), "http://h/a/TOKEN-1/");
        assert_eq!(
            to("https://h/b?id=TOKEN-warm&c=%20"),
            "https://h/b?id=TOKEN-1&c=%20"
        );
        assert_eq!(to("//h2//TOKEN-warm"), "http://h2//TOKEN-1");
        assert_eq!(to("/login"), "http://h/login?x=TOKEN-1");
        // Braces in the server's redirect are not places for a label.
        assert_eq!(to("/{}/TOKEN-warm"), "http://h/%7B%7D/TOKEN-1");
        let shown = |location: &str| {
            let location = location.replace("TOKEN", &target.token);
            let to = target.redirected(&asked, &location).expect("a URL");
            to.url().to_owned()
        };
        assert_eq!(shown("/b/TOKEN-warm?c={}#d"), "http://h/b/{}?c={{}}");
        assert_eq!(shown("/login?to={}"), "http://h/login?to={{}}");
    }

    #[test]
    fn a_lanes_url_is_whole_again() {
        let target = Target::parse("https://[::1]:8443//a?b").expect("a URL");
        assert_eq!(
            target.origin().to_owned() + "//a?b&x=1",
            "https://[::1]:8443//a?b&x=1"
        );
    }

    #[test]
    fn every_run_has_its_own_token() {
        let token = || Target::parse("h").expect("a URL").token;
        let one = token();
        assert_eq!(one.len(), 4);
        assert!((0..3).any(|_| token() != one));
    }

    #[test]
    fn an_invalid_url_is_refused_with_what_is_allowed() {
        for (url, told) in [
            ("ftp://h/", "the scheme ftp; allowed: http, https"),
            ("http://", "empty host"),
            ("http://h:99999/", "invalid port"),
            ("http://user:secret@h/", "in an Authorization header"),
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
