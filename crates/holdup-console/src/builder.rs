//! The settings of a console: what it shows, and its limits.

use std::net::{TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix_web::web::Data;
use tokio::sync::mpsc;
use url::Url;

use super::await_points::AwaitPoints;
use super::bounds::Bounds;
use super::console::{Console, Parts, Task};
use super::error::StartError;
use super::hub::Hub;
use super::message::Intro;
use super::names::{Names, host_name};
use super::page;
#[cfg(feature = "probe")]
use super::probes::Button;
use super::probes::Probes;
use super::recorder::recorder;
use super::section::Section;
use super::site::{Seen, Site};
use holdup_watch::Watch;

/// How many commands may wait for the hub.
pub(super) const COMMANDS: usize = 64;

/// The settings of a console that has not started. Create one with [`Console::builder`].
#[derive(Debug, Clone)]
#[must_use = "a console has to be started"]
pub struct Builder {
    watch: Watch,
    address: String,
    app: Option<String>,
    public_url: Option<String>,
    #[cfg(feature = "probe")]
    buttons: Vec<Button>,
    #[cfg(feature = "probe")]
    beside: Option<String>,
    sections: Vec<Section>,
    intro: Option<Intro>,
    hosts: Vec<String>,
    remedy: String,
    bounds: Bounds,
}

impl Console {
    /// Creates a console for this watch that listens on `address`, such as `127.0.0.1:8081`. Port 0
    /// picks a free port.
    pub fn builder(watch: &Watch, address: impl Into<String>) -> Builder {
        Builder {
            watch: watch.clone(),
            address: address.into(),
            app: None,
            public_url: None,
            #[cfg(feature = "probe")]
            buttons: Vec::new(),
            #[cfg(feature = "probe")]
            beside: None,
            sections: Vec::new(),
            intro: None,
            hosts: Vec::new(),
            remedy: "allow it with Builder::allow_host(\"{name}\")".to_owned(),
            bounds: Bounds::default(),
        }
    }
}

impl Builder {
    /// Sets the URL on which the app itself listens. Buttons send their requests there, and the
    /// console shows the connections that wait on that port.
    pub fn app(mut self, url: impl Into<String>) -> Self {
        self.app = Some(url.into());
        self
    }

    /// Sets the URL at which browsers reach the app. It is needed when that is not the console's
    /// own host with the port of [`app`](Self::app): behind a reverse proxy, or when a container's
    /// port is published under another number. The console also answers under this host name.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Adds a button that probes this path of the app with GET requests. The path may have a query.
    /// Use a [`Button`] to set a label, code or parameters.
    ///
    /// ```
    /// use holdup_console::{Button, Console, Parameter};
    ///
    /// # fn main() -> Result<(), holdup_console::StartError> {
    /// let watch = holdup_watch::Watch::new();
    /// let days = Parameter::integer("days", 1..=90).default(7);
    /// let console = Console::builder(&watch, "127.0.0.1:0")
    ///     .app("http://127.0.0.1:8080")
    ///     .button("/report?days=1")
    ///     .button(Button::new("/report").label("the whole report").parameter(days))
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "probe")]
    #[cfg_attr(docsrs, doc(cfg(feature = "probe")))]
    pub fn button(mut self, button: impl Into<Button>) -> Self {
        self.buttons.push(button.into());
        self
    }

    /// Also asks this path of the app, with GET, while the routes of the buttons run, and shows whether it is
    /// answered meanwhile. If it is not, the button's route blocks everything else; if it is, the requests wait
    /// for something of their own. Use a route that is fast and has nothing to do with the others, such as a
    /// health check. A button for the same path is probed without it.
    ///
    /// About 400 requests at most go to it beside one of the button's requests, and as many beside 2, 4 and so
    /// on. While a probe runs, requests to this path get no lanes on the page, except as connections that a
    /// blocked worker has not read yet.
    ///
    /// ```
    /// # fn main() -> Result<(), holdup_console::StartError> {
    /// use holdup_console::Console;
    ///
    /// let watch = holdup_watch::Watch::new();
    /// let _console = Console::builder(&watch, "127.0.0.1:0")
    ///     .app("http://127.0.0.1:8080")
    ///     .button("/report")
    ///     .beside("/healthz")
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "probe")]
    #[cfg_attr(docsrs, doc(cfg(feature = "probe")))]
    pub fn beside(mut self, path: impl Into<String>) -> Self {
        self.beside = Some(path.into());
        self
    }

    /// Adds a section to the page.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Sets what the page shows before the first request: a sentence, and commands to try, such as
    /// `curl -N '{app}/report'`. In both, `{app}` stands for the URL at which the reader's browser
    /// reaches the app.
    pub fn intro(
        mut self,
        sentence: impl Into<String>,
        commands: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.intro = Some(Intro {
            sentence: sentence.into(),
            commands: commands.into_iter().map(Into::into).collect(),
        });
        self
    }

    /// Also answers under this host name, such as `console.example`, but not under its subdomains.
    /// This is needed behind a reverse proxy that forwards the `Host` header, and for clients on a
    /// network that use a name, such as Prometheus. Give the name without a port; every port is
    /// accepted.
    ///
    /// IP addresses, `localhost` and names that end in `.localhost` are always allowed. Every other
    /// name is refused, whatever address the console listens on: see [who can read
    /// it](crate#who-can-read-it).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), holdup_console::StartError> {
    /// use holdup_console::Console;
    ///
    /// let watch = holdup_watch::Watch::new();
    /// let _console = Console::builder(&watch, "0.0.0.0:8081")
    ///     .allow_host("console.example")
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Sets the advice in the answer to a refused host name, for users who cannot call
    /// [`allow_host`](Self::allow_host) but can set an option of your program, such as `start with
    /// --console-host {name}`. `{name}` stands for the refused name.
    pub fn allow_host_advice(mut self, advice: impl Into<String>) -> Self {
        self.remedy = advice.into();
        self
    }

    /// Sets the most requests that are shown as lanes at a time. Further requests are only counted. While more come,
    /// all lanes together are replaced in five seconds at the fastest, so that each can be followed by eye. The
    /// default is 100; 1 to 10,000 are allowed.
    pub fn lanes(mut self, most: usize) -> Self {
        self.bounds.lanes = most;
        self
    }

    /// Sets the most simultaneous readers of `/events`; each open page is one. A further reader
    /// gets status 503. The default is 16; 1 to 10,000 are allowed.
    pub fn readers(mut self, most: usize) -> Self {
        self.bounds.readers = most;
        self
    }

    /// Sets the most simultaneous connections, including those of readers. A further connection
    /// waits. The default is 32; at least one more than [readers](Self::readers) and at most 20,000
    /// are allowed.
    pub fn connections(mut self, most: usize) -> Self {
        self.bounds.connections = most;
        self
    }

    /// Sets the upper bounds of the histogram of hold durations in `/metrics`, in ascending order.
    /// The default is 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 and 60 s.
    pub fn histogram_buckets(mut self, bounds: impl IntoIterator<Item = Duration>) -> Self {
        self.bounds.buckets = bounds.into_iter().collect();
        self
    }

    /// Sets the longest that the requests of one round of a probe may take in sequence, according
    /// to what the button [expects](Button::expects). A longer round is refused. A whole probe may
    /// take five times as long, or ten times if another route is asked [beside](Self::beside) the button's.
    /// The default is 60 s; 1 s to one hour is allowed.
    #[cfg(feature = "probe")]
    #[cfg_attr(docsrs, doc(cfg(feature = "probe")))]
    pub fn longest_round(mut self, longest: Duration) -> Self {
        self.bounds.longest_round = longest;
        self
    }

    /// Sets how long a client may leave sent bytes unread before its connection is closed. This
    /// applies to Linux; on other systems the system's own limit applies. The default is 30 s; 1 s
    /// to one hour is allowed.
    pub fn unread_timeout(mut self, timeout: Duration) -> Self {
        self.bounds.unread = timeout;
        self
    }

    /// Starts to listen, on a thread of the console's own.
    ///
    /// # Errors
    ///
    /// Returns an error when the address cannot be bound, or when a setting cannot be used.
    ///
    /// # Panics
    ///
    /// Panics when the closure given to `Button::expects` panics for the defaults of the button's
    /// parameters.
    pub fn start(self) -> Result<Console, StartError> {
        self.bounds.check()?;
        self.check_sections()?;
        let app = self.app.as_deref().map(web_url).transpose()?;
        let public = self.public_url.as_deref().map(web_url).transpose()?;
        let names = names(&self.hosts, public.as_ref())?;
        #[cfg(feature = "probe")]
        let probes = Probes::new(
            app.clone(),
            self.buttons,
            self.beside,
            self.bounds.longest_round,
        )?;
        #[cfg(not(feature = "probe"))]
        let probes = Probes;
        let probes = Arc::new(probes);
        let listener = bind(&self.address)?;

        let recorder = Arc::new(recorder(&self.bounds.buckets)?);
        let await_points = Arc::new(AwaitPoints::new(&recorder));
        let (commands, asked) = mpsc::channel(COMMANDS);
        let readers = Arc::new(AtomicUsize::new(0));
        let port = app.as_ref().and_then(Url::port_or_known_default);
        let site = Data::new(Site {
            watch: Some(self.watch.clone()),
            commands,
            readers: Arc::clone(&readers),
            most_readers: self.bounds.readers,
            recorder: Arc::clone(&recorder),
            await_points: Arc::clone(&await_points),
            app: public.map(Seen::At).or(app.map(Seen::BesideConsole)),
            connects_to_app: self.sections.iter().any(|section| section.connects_to_app),
            names,
            remedy: self.remedy,
            replay: None,
        });
        let hub = Hub {
            // Other consoles of this watch may have subscribed before.
            lanes_before: self.watch.lanes(),
            // The subscription starts here, so that events before the thread runs are not missed.
            events: self.watch.subscribe(),
            watch: self.watch,
            buttons: probes.published(),
            intro: self.intro,
            most_lanes: self.bounds.lanes,
            followed: self
                .sections
                .iter()
                .filter_map(|s| s.followed.clone())
                .collect(),
            port,
            commands: asked,
            run: probes.subscribe(),
            readers,
            recorder,
            await_points,
        };
        Console::run(Parts {
            listener,
            site,
            assets: page::assets(&self.sections),
            probes,
            task: Task::Live(Box::new(hub)),
            connections: self.bounds.connections,
            unread: self.bounds.unread,
        })
    }

    fn check_sections(&self) -> Result<(), StartError> {
        for (index, section) in self.sections.iter().enumerate() {
            let bad = |why| StartError::Section {
                given: section.name.clone(),
                why,
            };
            section.check().map_err(bad)?;
            let before = &self.sections[..index];
            if before.iter().any(|other| other.name == section.name) {
                return Err(bad("there is another one of this name".to_owned()));
            }
        }
        Ok(())
    }
}

/// The names under which the console answers.
pub(super) fn names(hosts: &[String], public: Option<&Url>) -> Result<Names, StartError> {
    let mut names = Names::default();
    for given in hosts {
        let name = host_name(given).map_err(|why| StartError::Host {
            given: given.clone(),
            why,
        })?;
        names.add(name);
    }
    if let Some(Ok(name)) = public.and_then(Url::host_str).map(host_name) {
        names.add(name);
    }
    Ok(names)
}

pub(super) fn bind(address: &str) -> Result<TcpListener, StartError> {
    let bad = |source| StartError::Bind {
        address: address.to_owned(),
        source,
    };
    let addresses: Vec<_> = address.to_socket_addrs().map_err(bad)?.collect();
    TcpListener::bind(addresses.as_slice()).map_err(bad)
}

fn web_url(given: &str) -> Result<Url, StartError> {
    let bad = |why: String| StartError::App {
        given: given.to_owned(),
        why,
    };
    let url = Url::parse(given).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(bad(format!("its scheme is {other}"))),
    }
}
