//! The log as a test reads it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// The log lines about worker 0 that the calling thread writes while `act` runs.
pub(super) fn logged(act: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // With one subscriber only, tracing asks the subscriber of the first thread that reaches a log line
    // whether the line is enabled. That thread may belong to another test, without a subscriber. A second
    // subscriber prevents this.
    let _another = tracing::Dispatch::new(tracing_subscriber::fmt().finish());
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, act);
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = String::from_utf8_lossy(&written);
    let of_holds = lines.lines().filter(|line| line.contains(" worker 0"));
    of_holds.map(str::to_owned).collect()
}
