//! What is compared: the apps, and how they are loaded.

use clap::ValueEnum;
use serde::Serialize;

/// One of the apps. All are the same except for what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The handler alone. All others are divided by it.
    Bare,
    /// The same once more, in a process of its own: it shows the noise.
    BareAgain,
    /// With `Watch` around the app.
    Watch,
    /// With `Watch`, and somebody who reads the events of its console.
    WatchRead,
    /// With `tokio-metrics`' `TaskMonitor` around the handler.
    TaskMonitor,
}

impl Kind {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 5] = [
        Self::Bare,
        Self::BareAgain,
        Self::Watch,
        Self::WatchRead,
        Self::TaskMonitor,
    ];

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareAgain => "bare, again",
            Self::Watch => "watch",
            Self::WatchRead => "watch, console open",
            Self::TaskMonitor => "task monitor",
        }
    }

    /// As it is written on the command line.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// One worker, which has a core to itself if the machine has two
    OneWorker,
    /// Two workers, and 16 connections: on a machine with two cores the load shares them
    TwoWorkers,
}

/// How the apps are served and loaded.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Mode {
    pub(crate) name: Name,
    pub(crate) workers: usize,
    pub(crate) connections: usize,
}

pub(crate) const MODES: [Mode; 2] = [
    Mode {
        name: Name::OneWorker,
        workers: 1,
        connections: 32,
    },
    Mode {
        name: Name::TwoWorkers,
        workers: 2,
        connections: 16,
    },
];
