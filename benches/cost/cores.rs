//! Which processor cores the server and the load have.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of the server, and those of the load and of what reads the console.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    server: Vec<usize>,
    load: Vec<usize>,
}

impl Cores {
    /// For a server with so many workers: a core for each and another one for the load, if this
    /// process may use so many. If not, they share those that there are.
    ///
    /// # Errors
    ///
    /// If the system does not tell which cores may be used.
    pub(crate) fn for_workers(workers: usize) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut server: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|core| allowed.is_set(*core))
            .collect();
        let load = if server.len() > workers {
            server.drain(workers..=workers).collect()
        } else {
            server.clone()
        };
        if load != server {
            server.truncate(workers);
        }
        Ok(Self { server, load })
    }

    /// Whether the load has a core of its own.
    pub(crate) fn are_apart(&self) -> bool {
        self.server != self.load
    }

    /// Processes that this thread starts from now on run on the server's cores.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn start_server(&self) -> io::Result<()> {
        keep_to(&self.server)
    }

    /// This thread, and the threads and processes that it starts from now on, run on the cores of the
    /// load.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn start_load(&self) -> io::Result<()> {
        keep_to(&self.load)
    }

    /// Lets this thread run on all of them again.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn release(&self) -> io::Result<()> {
        let all: Vec<usize> = self.server.iter().chain(&self.load).copied().collect();
        keep_to(&all)
    }
}

fn keep_to(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}
