//! `holdup serve`: run the lab until a signal stops it.

use std::error::Error;
use std::process::ExitCode;

use actix_rt::System;
use holdup::limits::TooMany;
use holdup::serve::{Lab, Settings, StartError, reachable};
use holdup_console::StartError as ConsoleError;
use holdup_watch::RecordError;

use super::stop::stop_signal;
use super::{open_files, with_sources};
use crate::cli::Serve;
use crate::logs;

pub(crate) fn run(options: &Serve) -> ExitCode {
    // This is dropped last, so that all queued lines are written.
    let _flush = logs::init(options.log_format);
    match System::new().block_on(serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::warn(with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &Serve) -> Result<(), Box<dyn Error>> {
    let settings = options.settings();
    // Handle signals before anything is served: the first process of a container has no default
    // action for them.
    let stop = stop_signal()?;
    open_files::raise();
    let lab = Lab::start(&settings).map_err(by_flag)?;
    super::print(&welcome(&lab, &settings))?;
    lab.run_until(stop).await?;
    Ok(())
}

/// The error in terms of the flag that the user gave, not of the library's setting.
fn by_flag(error: StartError) -> Box<dyn Error> {
    match error {
        StartError::Limits(TooMany::Streams { asked, room, .. }) => {
            format!("--max-streams is {asked}, but {room}").into()
        }
        StartError::Limits(TooMany::Workers { asked, room, .. }) => {
            format!("--workers is {asked}, but {room}").into()
        }
        StartError::Bind { .. } => {
            format!("{}; give another address with --bind", with_sources(&error)).into()
        }
        StartError::Console(ConsoleError::Bind { .. }) => {
            let error = with_sources(&error);
            format!("{error}; give another address with --console, or use --no-console").into()
        }
        StartError::Record(ref why) => {
            // Its own remedy comes before that of the flag.
            let remedy = match why {
                RecordError::Missing { .. } => ", or give another folder with --record",
                RecordError::Used { .. } => " with --record",
                _ => "; give another folder with --record",
            };
            format!("{}{remedy}", with_sources(&error)).into()
        }
        other => other.into(),
    }
}

fn welcome(lab: &Lab, settings: &Settings) -> String {
    let console = match lab.console() {
        Some(address) => format!(
            "Watch it live, in a browser: http://{}/\n\n",
            reachable(address)
        ),
        None => String::new(),
    };
    let lab = format!("http://{}", reachable(lab.address()));
    let workers = match settings.workers.get() {
        1 => {
            "The lab runs one worker, so that all requests share it (--workers N changes that).\n\
             By default, actix starts one per core. Then two requests may go to different workers,\n\
             and neither waits."
                .to_owned()
        }
        n => format!(
            "The lab runs {n} workers, so up to {n} blocking requests run side by side. With \
             --workers 1,\nthe second one already waits."
        ),
    };
    format!(
        "holdup: the lab is at {lab}\n\
         \n\
         {console}\
         {workers}\n\
         \n\
         Run these in two terminals, one right after the other:\n\
         \n  curl -N '{lab}/blocking?x=1'\n  curl -N '{lab}/blocking?x=2'\n\
         \n\
         Then try the cures: /coroutine, /callback and /threadpool. {lab}/ explains more.\n\
         Ctrl-C stops the lab.\n"
    )
}
