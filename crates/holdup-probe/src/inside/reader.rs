//! Asks a console which requests are open in its app.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::client::Console;
use super::error::BadConsole;
use super::open::{self, BadDocument, MOST_BYTES, OpenRequests, OpenWaits, VERSION};
use crate::target::Target;
use holdup_model::Failure;

/// Asks a console which requests are open in its app, and where they wait.
///
/// ```no_run
/// use std::time::Duration;
/// use holdup_probe::{ConsoleReader, Target};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let console = Target::parse("localhost:8081")?;
/// let mut reader = ConsoleReader::find(&console, false, Duration::from_secs(10)).await?;
/// for request in reader.requests().await?.requests {
///     println!("{request}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct ConsoleReader {
    console: Console,
    longest: Duration,
}

impl ConsoleReader {
    /// Finds out how the console is reached. `insecure` accepts any certificate. `longest` is how long that may
    /// take, and later each answer.
    ///
    /// # Errors
    ///
    /// When the console's name has no address.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn find(
        console: &Target,
        insecure: bool,
        longest: Duration,
    ) -> Result<Self, BadConsole> {
        let console = Console::find(console, insecure, longest).await?;
        Ok(Self { console, longest })
    }

    /// Asks which requests are open. The app asks those that wait where they do, which takes it up to half a
    /// second, and two seconds more until its line tables are read for the first time. Its looks
    /// are a second apart, so an answer may come up to a second later.
    ///
    /// # Errors
    ///
    /// When the console cannot be reached or refuses the request, when something else answers at its URL, and
    /// when it belongs to a version of holdup that does not list requests, or lists them in another way.
    pub async fn requests(&mut self) -> Result<OpenRequests, BadConsole> {
        let document = self.document("requests").await?;
        open::requests(&document).map_err(|bad| self.unusable("requests", bad))
    }

    /// Asks where open requests wait, and who holds up whom.
    ///
    /// # Errors
    ///
    /// The same as those of [`requests`](Self::requests).
    pub async fn waits(&mut self) -> Result<OpenWaits, BadConsole> {
        let document = self.document("waits").await?;
        open::waits(&document).map_err(|bad| self.unusable("waits", bad))
    }

    async fn document(&mut self, path: &str) -> Result<Vec<u8>, BadConsole> {
        let document = timeout(self.longest, self.console.document(path, MOST_BYTES)).await;
        document.unwrap_or_else(|_| Err(self.console.unreachable(Failure::TimedOut)))
    }

    fn unusable(&self, path: &str, bad: BadDocument) -> BadConsole {
        match bad {
            BadDocument::Version(found) => BadConsole::Version {
                url: self.console.given().to_owned(),
                found,
                known: VERSION,
            },
            BadDocument::Other(why) => {
                let why = format!("/{path} cannot be read: {why}");
                self.console.no_console(why)
            }
        }
    }
}

impl fmt::Debug for ConsoleReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleReader")
            .field("console", &self.console.given())
            .field("longest", &self.longest)
            .finish()
    }
}
