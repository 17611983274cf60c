//! The rounds of one mode: all servers stay up, and each round loads every one of them once.

use std::error::Error;
use std::time::Duration;

use crate::cores::Cores;
use crate::plan::{Kind, Mode};
use crate::reader::Reader;
use crate::server::{Block, Server};

/// How long each server is loaded before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// The figures of all rounds in one mode.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// For each kind, in the order of `Kind::ALL`, one block for each round.
    pub(crate) of_kind: Vec<Vec<Block>>,
    /// Whether the load had a core of its own.
    pub(crate) apart: bool,
    /// What the reader of the console got.
    pub(crate) read_bytes: u64,
    /// How many times it was connected: once, unless the console dropped it.
    pub(crate) times_connected: u64,
}

/// Loads every server once for each round, after a round that does not count.
///
/// # Errors
///
/// If a server or a request fails.
pub(crate) fn measure(mode: &Mode, rounds: u16, slice: Duration) -> Result<Blocks, Box<dyn Error>> {
    let cores = Cores::for_workers(mode.workers)?;
    cores.start_server()?;
    let mut servers = Vec::new();
    for kind in Kind::ALL {
        servers.push(Server::start(kind, mode)?);
    }
    cores.start_load()?;
    let mut reader = None;
    for (kind, server) in Kind::ALL.iter().zip(&mut servers) {
        if *kind == Kind::WatchRead {
            reader = Some(Reader::start(server.line()?.trim().parse()?));
        }
        // The first requests pay for what is set up once.
        server.load(WARM_UP)?;
    }

    let mut of_kind: Vec<Vec<Block>> = vec![Vec::new(); servers.len()];
    for round in 0..usize::from(rounds) {
        for index in order(round, servers.len()) {
            of_kind[index].push(servers[index].load(slice)?);
        }
    }
    let (read_bytes, times_connected) = reader.map_or((0, 0), |reader| reader.seen());
    cores.release()?;
    Ok(Blocks {
        of_kind,
        apart: cores.are_apart(),
        read_bytes,
        times_connected,
    })
}

/// The order of a round: it begins with another server each time, and every second round goes
/// backwards. Each server is measured as often early as late, and as often before as after each other.
fn order(round: usize, servers: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..servers).map(|at| (at + round / 2) % servers).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
