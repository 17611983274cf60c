//! A record on the console's page, as it was: served like a live console, but the events come from a file and the time
//! is what the page's reader chooses.

mod api;
mod conductor;
mod control;
mod player;
mod scene;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix_web::web::Data;
use tokio::sync::mpsc;

use super::await_points::AwaitPoints;
use super::bounds::Bounds;
use super::builder::{COMMANDS, bind, names};
use super::console::{Console, Parts, Task};
use super::error::StartError;
use super::page::{self, Asset};
use super::probes::Probes;
use super::recorder::recorder;
use super::section::Section;
use super::site::Site;
use holdup_record::Record;

pub(super) use self::api::{PATHS, configure};
pub(super) use self::conductor::Conductor;
pub(super) use self::control::Control;
use self::player::Player;

const HTML: &str = include_str!("../../ui/replay/section.html");
const SCRIPT: &str = include_str!("../../ui/replay/section.js");
const STYLE: &str = include_str!("../../ui/replay/replay.css");

/// How many controls may wait.
const CONTROLS: usize = 64;

/// The settings of a page for a record. Create one with [`Console::replay`].
#[derive(Debug, Clone)]
#[must_use = "a replay has to be started"]
pub struct Replay {
    record: Record,
    address: String,
    hosts: Vec<String>,
    remedy: String,
}

impl Console {
    /// Creates a page for a record, which listens on `address`, such as `127.0.0.1:8082`. Port 0 picks a free port.
    ///
    /// It begins a little before the longest hold, and plays when the first reader comes.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let record = holdup_record::read("/var/lib/shop/holdup".as_ref())?;
    /// let replay = holdup_console::Console::replay(record, "127.0.0.1:8082").start()?;
    /// println!("http://{}/", replay.address());
    /// # Ok(())
    /// # }
    /// ```
    pub fn replay(record: Record, address: impl Into<String>) -> Replay {
        Replay {
            record,
            address: address.into(),
            hosts: Vec::new(),
            remedy: "allow it with Replay::allow_host(\"{name}\")".to_owned(),
        }
    }
}

impl Replay {
    /// Also answers under this host name: see [`Builder::allow_host`](super::Builder::allow_host).
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Sets the advice in the answer to a refused host name: see
    /// [`Builder::allow_host_advice`](super::Builder::allow_host_advice).
    pub fn allow_host_advice(mut self, advice: impl Into<String>) -> Self {
        self.remedy = advice.into();
        self
    }

    /// Starts to listen, on a thread of its own.
    ///
    /// # Errors
    ///
    /// Returns an error when the address cannot be bound, or when a host name cannot be allowed.
    pub fn start(self) -> Result<Console, StartError> {
        let bounds = Bounds::default();
        let names = names(&self.hosts, None)?;
        let listener = bind(&self.address)?;
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (controls, controlled) = mpsc::channel(CONTROLS);
        let readers = Arc::new(AtomicUsize::new(0));
        let recorder = Arc::new(recorder(&bounds.buckets)?);
        let site = Data::new(Site {
            watch: None,
            commands,
            readers: Arc::clone(&readers),
            most_readers: bounds.readers,
            await_points: Arc::new(AwaitPoints::new(&recorder)),
            recorder,
            app: None,
            connects_to_app: false,
            names,
            remedy: self.remedy,
            replay: Some(controls),
        });
        #[cfg(feature = "probe")]
        let probes = Probes::new(None, Vec::new(), None, bounds.longest_round)?;
        #[cfg(not(feature = "probe"))]
        let probes = Probes;
        let mut assets = page::assets(&[Section::new("replay", HTML, SCRIPT)]);
        assets.push(Asset {
            path: "/replay.css".to_owned(),
            content_type: "text/css; charset=utf-8",
            body: STYLE.into(),
        });
        Console::run(Parts {
            listener,
            site,
            assets,
            probes: Arc::new(probes),
            task: Task::Replay(Box::new(Conductor {
                player: Player::new(self.record, bounds.lanes),
                commands: asked,
                controls: controlled,
                readers,
            })),
            connections: bounds.connections,
            unread: bounds.unread,
        })
    }
}
