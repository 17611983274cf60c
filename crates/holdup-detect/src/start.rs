//! Starts the threads of a watch. The collector is started first, because the others have no work without it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::collector;
use crate::outlets::{LogEntry, NoThreads, Outlet, Outlets};
use crate::shared::Shared;
use crate::sink::log::Log;
use crate::sink::metrics::Figures;
use crate::sink::recorder::{self, Recorder};
use crate::sink::{callbacks, log, metrics, symbols};
use crate::threads::{CALLBACKS, COLLECTOR, LOG, METRICS, RECORD, SYMBOLS};

/// Starts the threads of a watch unless they run already. If the collector cannot be started, the next worker
/// tries again.
pub(crate) fn start(shared: &Arc<Shared>) {
    let mut is_logged = shared
        .starting
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if shared.collector.get().is_some() {
        // The collector sleeps while there is no worker.
        return shared.wake_collector();
    }
    let mut failed = NoThreads::default();
    let log = start_all(shared, &mut failed);
    if failed.names.is_empty() || *is_logged {
        return;
    }
    *is_logged = true;
    if let Some(log) = log.filter(|_| !failed.names.contains(&LOG)) {
        log.send(LogEntry::NoThreads(failed));
    } else if shared.settings.log.is_some() {
        // No log thread runs, so this thread logs. A panic in a tracing subscriber must not stop the app.
        catch_unwind(AssertUnwindSafe(|| log::no_threads(&failed))).ok();
    }
}

/// Starts all threads, and returns the channel to the log if the collector was started.
fn start_all(shared: &Arc<Shared>, failed: &mut NoThreads) -> Option<Outlet<LogEntry>> {
    let mut note = |name: &'static str, started: io::Result<_>| {
        let started = started.map_err(|error| {
            failed.names.push(name);
            failed.error = error.to_string();
        });
        started.ok()
    };
    let (threads, settings) = (&shared.threads, &shared.settings);
    let mut outlets = Outlets::default();
    let log_entries = settings.log.map(|level| (level, outlets.log.open()));
    let figures = outlets.metrics.open();
    let holds = (!settings.callbacks.is_empty()).then(|| outlets.callbacks.open());
    let stacks = cfg!(feature = "stacks").then(|| outlets.symbols.open());
    // The log comes last, because the others may send lines to it.
    let queues = vec![
        outlets.metrics.queued(),
        outlets.callbacks.queued(),
        outlets.log.queued(),
    ];
    let log = outlets.log.clone();
    let symbols = outlets.symbols.clone();

    let (weak, to_log) = (Arc::downgrade(shared), log.clone());
    let collector = threads.start(COLLECTOR, move |again| {
        if again {
            to_log.send(LogEntry::Restarted { thread: COLLECTOR });
        }
        collector::run(&weak, &outlets);
    });
    let collector = note(COLLECTOR, collector)?;
    shared.flushes.wait_for_queues(queues);
    shared.collector.get_or_init(|| collector);
    shared.symbols.get_or_init(|| symbols);

    if let Some((level, entries)) = log_entries {
        let mut log = Log::new(level);
        let elapsed = shared.stopwatch();
        let started = threads.start(LOG, move |again| {
            if again {
                log.write(LogEntry::Restarted { thread: LOG }, elapsed());
            }
            log::run(&entries, &mut log, &elapsed);
        });
        note(LOG, started);
    }
    let (to_log, mut known) = (log.clone(), None);
    let started = threads.start(METRICS, move |again| {
        if again {
            to_log.send(LogEntry::Restarted { thread: METRICS });
        }
        let known = known.get_or_insert_with(Figures::of_installed);
        metrics::run(&figures, known, &to_log);
    });
    note(METRICS, started);
    if let Some(holds) = holds {
        let to_log = log.clone();
        let callbacks = settings.callbacks.clone();
        let started = threads.start(CALLBACKS, move |again| {
            if again {
                to_log.send(LogEntry::Restarted { thread: CALLBACKS });
            }
            callbacks::run(&holds, &callbacks);
        });
        note(CALLBACKS, started);
    }
    let folder = shared.folder.lock();
    if let Some(folder) = folder.unwrap_or_else(PoisonError::into_inner).take() {
        let (to_log, weak) = (log.clone(), Arc::downgrade(shared));
        let mut recorder = Recorder::new(folder, shared.subscribe());
        let started = threads.start(RECORD, move |again| {
            if again {
                to_log.send(LogEntry::Restarted { thread: RECORD });
            }
            recorder::run(&mut recorder, &weak, &to_log);
        });
        shared.flushes.wait_for_recorder(note(RECORD, started));
    }
    if let Some(stacks) = stacks {
        let to_log = log.clone();
        let started = threads.start(SYMBOLS, move |again| {
            if again {
                to_log.send(LogEntry::Restarted { thread: SYMBOLS });
            }
            symbols::run(&stacks, &to_log);
        });
        note(SYMBOLS, started);
    }
    Some(log)
}
