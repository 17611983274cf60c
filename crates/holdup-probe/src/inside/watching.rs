//! Follows a console while the app is probed.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{self, sleep, sleep_until, timeout};

use super::client::{Answer, Console};
use super::error::BadConsole;
use super::found::{Inside, Look};
use super::holds::Holds;
use super::looking::Looking;
use super::messages::{self, BadSnapshot, News, VERSION};
use super::sse::{self, Messages, Received};
use super::waits::Waits;
use crate::target::Target;
use holdup_model::{Failure, HumanDuration};

/// How long the console may take to answer anything else.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// How long the console is followed after the probe for a hold whose end it has not told. An app that takes
/// stacks tells of it up to two seconds later, because it looks up their names first.
const RELEASED_WITHIN: Duration = Duration::from_millis(2500);

/// The most bytes of events that are read in [`PACE`]. A console sends twenty times a second, and a few
/// kilobytes each time. More than this would take the time that the measurement needs.
const MOST_AT_A_TIME: usize = 256 * 1024;
const PACE: Duration = Duration::from_millis(50);

/// A console that is being followed. Dropping it ends that.
#[derive(Debug)]
pub struct Watching {
    stop: Option<oneshot::Sender<Instant>>,
    following: JoinHandle<Inside>,
}

impl Inside {
    /// How long connecting may take, up to the console's first message.
    pub const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

    /// Connects to the console of an app, and follows its events in a task of the current runtime. `insecure`
    /// accepts any certificate.
    ///
    /// Call [`Watching::finish`] when the probe is over.
    ///
    /// ```no_run
    /// use holdup_probe::{Inside, Request, Settings, Target, probe};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let watching = Inside::connect(&Target::parse("localhost:8081")?, false).await?;
    /// let target = Target::parse("localhost:8080/report")?;
    /// let report = probe(&target, &Request::default(), Settings::default(), &mut |_| ()).await;
    /// let report = report.with_inside(watching.finish().await);
    /// if let Some(culprit) = report.culprit() {
    ///     println!("{culprit}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the console cannot be reached, when something else answers at this URL, and when the console
    /// refuses this reader.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn connect(console: &Target, insecure: bool) -> Result<Watching, BadConsole> {
        let connecting = timeout(Self::CONNECTED_WITHIN, Follower::connect(console, insecure));
        let follower = connecting.await.unwrap_or_else(|_| {
            Err(BadConsole::Unreachable {
                url: console.url().to_owned(),
                why: Failure::TimedOut,
            })
        })?;
        let (stop, stopped) = oneshot::channel();
        Ok(Watching {
            stop: Some(stop),
            following: tokio::spawn(follower.run(stopped)),
        })
    }
}

impl Watching {
    /// Ends it, and returns what the console showed from the beginning until now. This takes a fraction of a
    /// second, because the console reports a hold a moment after its end; and at most a few seconds, if the app
    /// takes stacks and still looks up their names.
    pub async fn finish(mut self) -> Inside {
        let ended = Instant::now();
        if let Some(stop) = self.stop.take() {
            // The task ends only after this.
            stop.send(ended).ok();
        }
        let followed = (&mut self.following).await;
        followed.unwrap_or_else(|error| Inside {
            holds: Vec::new(),
            waits: Vec::new(),
            looks: Vec::new(),
            watched: ended..ended,
            cut_off: Some(format!("the console could not be followed: {error}")),
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Reads a console's events, one message after the other.
struct Follower {
    console: Arc<Console>,
    origin: Instant,
    /// The events, until they end.
    events: Option<Answer>,
    messages: Messages,
    /// Whether the first message has come, and what it was, until that is used.
    has_begun: bool,
    first: Option<Result<(), BadSnapshot>>,
    holds: Holds,
    /// Asks where requests wait, once the first message has come.
    looking: Option<Looking>,
    /// How the events ended, and when.
    gone: Option<(String, Instant)>,
    pace: Pace,
}

impl Follower {
    async fn connect(console: &Target, insecure: bool) -> Result<Self, BadConsole> {
        let mut console = Console::find(console, insecure, Inside::CONNECTED_WITHIN).await?;
        let events = console.events().await?;
        let origin = Instant::now();
        let mut follower = Self {
            console: Arc::new(console),
            origin,
            events: Some(events),
            messages: Messages::default(),
            has_begun: false,
            first: None,
            holds: Holds::new(origin),
            looking: None,
            gone: None,
            pace: Pace::default(),
        };
        follower.first().await?;
        follower.looking = Some(Looking::start(Arc::clone(&follower.console)).await);
        Ok(follower)
    }

    /// Reads until the first message, which says whether this is a console that can be read.
    async fn first(&mut self) -> Result<(), BadConsole> {
        let none = |console: &Console, why: &str| Err(console.no_console(why.to_owned()));
        while self.first.is_none() {
            let part = match &mut self.events {
                Some(events) => events.part().await,
                None => None,
            };
            match part {
                Some(Ok(part)) => self.read(&part),
                Some(Err(failure)) => return Err(self.console.unreachable(failure)),
                None => return none(&self.console, "/events ends before its first message"),
            }
        }
        match self.first.take() {
            None | Some(Ok(())) => Ok(()),
            Some(Err(BadSnapshot::Other(why))) => none(&self.console, why),
            Some(Err(BadSnapshot::Version(found))) => Err(BadConsole::Version {
                url: self.console.given().to_owned(),
                found,
                known: VERSION,
            }),
        }
    }

    /// Follows the console until it is told to stop, and a moment longer.
    async fn run(mut self, stop: oneshot::Receiver<Instant>) -> Inside {
        let mut ended = None;
        self.follow(async { ended = stop.await.ok() }).await;
        let ended = ended.unwrap_or_else(Instant::now);
        let waits = match self.looking.take() {
            Some(looking) => looking.finish().await,
            None => Waits::default(),
        };
        if self.gone.is_none() {
            self.follow(sleep(self.holds.told_within())).await;
        }
        while self.gone.is_none()
            && self.holds.awaits_any(ended)
            && ended.elapsed() < RELEASED_WITHIN
        {
            self.follow(sleep(PACE)).await;
        }
        if self.gone.is_none() {
            self.ask_for_everything().await;
        }
        let until = self
            .gone
            .as_ref()
            .map_or(ended, |(_, when)| ended.min(*when));
        let cut_off = self.gone.filter(|(_, when)| *when < ended);
        let (waits, looks) = waits.all(self.holds.watch_time(self.origin));
        let look = |(at, waiting)| Look {
            at: self.holds.instant(at),
            waiting,
        };
        Inside {
            looks: looks.into_iter().map(look).collect(),
            waits,
            holds: self.holds.until(until, cut_off.is_none()),
            watched: self.origin..until,
            cut_off: cut_off.map(|(why, when)| {
                format!(
                    "the console at {} was followed for only {} ({why}), and what it saw later is missing",
                    self.console.given(),
                    HumanDuration(when - self.origin)
                )
            }),
        }
    }

    async fn follow(&mut self, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            let pause = self.pace.pause();
            let events = &mut self.events;
            let next = async {
                if let Some(pause) = pause {
                    sleep_until(pause).await;
                }
                match events {
                    Some(events) => events.part().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut until => return,
                part = next => match part {
                    Some(Ok(part)) => self.read(&part),
                    Some(Err(failure)) => self.ends(failure.to_string()),
                    None => self.ends("it ended its events".to_owned()),
                },
            }
        }
    }

    fn read(&mut self, part: &[u8]) {
        let arrived = Instant::now();
        self.pace.count(part.len());
        let (holds, has_begun, first) = (&mut self.holds, &mut self.has_begun, &mut self.first);
        let mut is_behind = false;
        self.messages.push(part, &mut |received| {
            let is_first = !std::mem::replace(has_begun, true);
            match received {
                Received::Message(text) if is_first => {
                    let snapshot = messages::snapshot(text);
                    *first = Some(snapshot.map(|all| holds.apply(News::Snapshot(all), arrived)));
                }
                Received::Message(text) => {
                    if let Some(news) = messages::news(text) {
                        is_behind |= news == News::Behind;
                        holds.apply(news, arrived);
                    }
                }
                Received::TooLong if is_first => {
                    *first = Some(Err(BadSnapshot::Other("its first message is too long")));
                }
                Received::TooLong => {}
            }
        });
        if is_behind {
            self.ends("its events came faster than they could be read".to_owned());
        }
    }

    fn ends(&mut self, why: String) {
        self.events = None;
        self.gone = Some((why, Instant::now()));
    }

    /// Adds the console's state. It has everything that was on the way as events.
    async fn ask_for_everything(&mut self) {
        let answer = timeout(ANSWERED_WITHIN, self.console.text("state", sse::MOST)).await;
        // If there is no answer, what the events told is all that is known.
        if let Ok(Ok(Some(text))) = answer
            && let Ok(state) = messages::snapshot(&text)
        {
            self.holds.apply(News::Snapshot(state), Instant::now());
        }
    }
}

/// Spreads the reading of events over the time, however many a console sends.
#[derive(Debug)]
struct Pace {
    since: time::Instant,
    read: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            since: time::Instant::now(),
            read: 0,
        }
    }
}

impl Pace {
    fn count(&mut self, bytes: usize) {
        if self.since.elapsed() >= PACE {
            self.since = time::Instant::now();
            self.read = 0;
        }
        self.read += bytes;
    }

    /// When to read on, if not at once.
    fn pause(&self) -> Option<time::Instant> {
        (self.read >= MOST_AT_A_TIME).then(|| self.since + PACE)
    }
}
