//! What other routes are called in sentences.

use super::settings::Settings;
use super::target::Target;
use holdup_verdict::Names;

/// The name of another URL: its path, if it begins with this origin.
pub(super) fn name<'a>(url: &'a str, origin: &str) -> &'a str {
    let path = url.strip_prefix(origin);
    path.filter(|path| path.starts_with('/')).unwrap_or(url)
}

impl Settings {
    /// The names of the other routes, as sentences about `measured` have them: a path, if it is on the same
    /// server, and the whole URL otherwise.
    pub fn names(&self, measured: &Target) -> Names {
        let named = |other: &Target| name(other.url(), measured.origin()).to_owned();
        Names {
            beside: self.beside.iter().map(named).collect(),
            same_session: Vec::new(),
            versus: self.versus.as_ref().map(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_of_the_same_server_is_a_path() {
        let target = |url: &str| Target::parse(url).expect("a URL");
        let beside = [
            "localhost:80/healthz?a=1",
            "localhost:8080/healthz",
            "localhost",
        ];
        let settings = Settings {
            beside: beside.map(target).to_vec(),
            versus: Some(target("127.0.0.1/report")),
            ..Settings::default()
        };
        let names = settings.names(&target("http://localhost/report"));
        assert_eq!(
            names.beside,
            ["/healthz?a=1", "http://localhost:8080/healthz", "/"]
        );
        assert_eq!(names.versus.as_deref(), Some("http://127.0.0.1/report"));
    }
}
