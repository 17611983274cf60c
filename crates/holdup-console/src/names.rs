//! The names under which the console answers. A site can make its own name resolve to this machine
//! (DNS rebinding); the browser would then treat the site's page as the console's own. A site
//! cannot do this with an address or with `localhost`.

use url::Host;

use holdup_http::host;

/// The names that the developer allowed.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// Adds a name, in the form that [`host_name`] returns.
    pub(super) fn add(&mut self, name: String) {
        self.0.push(name);
    }

    /// Whether the console answers a request to this host.
    pub(super) fn include(&self, host: &Host) -> bool {
        match host {
            Host::Ipv4(_) | Host::Ipv6(_) => true,
            Host::Domain(name) => {
                name == "localhost" || name.ends_with(".localhost") || self.0.contains(name)
            }
        }
    }
}

/// A host in the form that browsers use: lower case, and here without the final dot. `None` if it
/// cannot be a host.
pub(super) fn read(host: &str) -> Option<Host> {
    match Host::parse(host).ok()? {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            let is_name = host::is_plain(name) && name.split('.').all(|label| !label.is_empty());
            is_name.then(|| Host::Domain(name.to_owned()))
        }
        ip => Some(ip),
    }
}

/// Converts a host name to the form that browsers send and
/// [`Builder::allow_host`](super::Builder::allow_host) accepts: lower case, with Punycode for
/// non-ASCII characters.
///
/// # Errors
///
/// Returns what is wrong with the name, and what is allowed.
///
/// ```
/// use holdup_console::host_name;
///
/// assert_eq!(host_name("Console.Example"), Ok("console.example".to_owned()));
/// assert_eq!(host_name("bücher.example"), Ok("xn--bcher-kva.example".to_owned()));
/// assert!(host_name("console.example:8081").is_err());
/// ```
pub fn host_name(given: &str) -> Result<String, String> {
    let host = read(given.trim()).map(|host| host.to_string());
    host.ok_or_else(|| {
        "it is not a host name; use a name such as console.example, without scheme, port, path or *"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(names: &Names, host: &str) -> Option<bool> {
        Some(names.include(&read(host::without_port(host))?))
    }

    #[test]
    fn names_of_this_machine_are_allowed_and_others_are_not() {
        let mut names = Names::default();
        for name in [
            "Console.Example",
            "my_lab",
            "bücher.example",
            "trailing.example.",
        ] {
            names.add(host_name(name).expect("a name"));
        }
        for own in [
            "localhost",
            "LOCALHOST:80",
            "localhost.",
            "localhost.:8081",
            "a.localhost:1",
            "127.0.0.1:8081",
            "127.9.9.9",
            "10.0.0.1",
            "[::1]:8081",
            "[::1]",
            "[2001:db8::2]:1",
            "console.example",
            "CONSOLE.example.:8443",
            "my_lab:8081",
            "xn--bcher-kva.example",
            "trailing.example",
        ] {
            assert_eq!(answers(&names, own), Some(true), "{own}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example:8081",
            "127.0.0.1.nip.io",
            "notlocalhost",
            "localhost.localdomain",
            "a.console.example",
            "console.example.evil.example",
            "example",
            "my-lab",
        ] {
            assert_eq!(answers(&names, other), Some(false), "{other}");
        }
        for none in [
            "",
            ".",
            "..",
            "a..b",
            ".localhost",
            "localhost..",
            ":80",
            "[::1",
            "::1",
            "[::z]",
            "[127.0.0.1]",
            "1.2.3.4.5",
            "a:b:80",
            "a b",
            "a/b",
            "a@localhost",
            "*.example",
            "a,b",
        ] {
            assert_eq!(answers(&names, none), None, "{none}");
        }
    }

    #[test]
    fn an_invalid_host_name_cannot_be_allowed() {
        for bad in [
            "",
            " ",
            "http://a.example",
            "a.example:80",
            "a.example/",
            "*",
            "*.example",
            "a b",
        ] {
            let error = host_name(bad).expect_err(bad);
            assert!(
                error.contains("use a name such as console.example"),
                "{error}"
            );
        }
        assert_eq!(host_name(" a.example "), Ok("a.example".to_owned()));
    }
}
