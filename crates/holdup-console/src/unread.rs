//! Connections that a held worker could not read: the requests that wait for it.
//!
//! The app does not know about these requests, because the worker that would read them is held. The
//! kernel does: its tables list every connection with the number of its unread bytes.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The kernel's tables, one for each version of IP.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// The states in which a connection may have a request to read (`include/net/tcp_states.h`):
/// established, and closed by the client only.
const STATES: [&str; 2] = ["01", "08"];

/// The state of a listening socket.
const LISTENS: &str = "0A";

/// A connection with unread bytes, or a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Unread { local: IpAddr, peer: SocketAddr },
    Listens { local: IpAddr, inode: u64 },
}

/// The peers of this program's connections to `port` that have unread bytes. Empty on systems
/// without these tables.
pub(super) fn unread(port: u16) -> Vec<SocketAddr> {
    let table = |path| std::fs::read_to_string(path).unwrap_or_default();
    let tables = TABLES.map(table);
    let rows: Vec<_> = tables.iter().flat_map(|text| parse(text, port)).collect();
    own(&rows, own_sockets)
}

/// Keeps the connections that belong to a listener of this program. Another program may listen on
/// the same port of another address.
fn own(rows: &[Row], own_sockets: impl FnOnce() -> HashSet<u64>) -> Vec<SocketAddr> {
    let listeners = rows.iter().filter_map(|row| match *row {
        Row::Listens { local, inode } => Some((local, inode)),
        Row::Unread { .. } => None,
    });
    let listeners: Vec<_> = listeners.collect();
    // Nearly always there is one listener, and nothing has to be distinguished.
    let (ours, others): (Vec<_>, Vec<_>) = if listeners.len() > 1 {
        let own = own_sockets();
        listeners
            .into_iter()
            .partition(|(_, inode)| own.contains(inode))
    } else {
        (listeners, Vec::new())
    };
    let is_at = |local: IpAddr| move |&(at, _): &(IpAddr, u64)| at == local;
    let is_own = |local: IpAddr| {
        let takes_all =
            |&(at, _): &(IpAddr, u64)| at.is_unspecified() && (at.is_ipv6() || local.is_ipv4());
        others.is_empty()
            || ours.iter().any(is_at(local))
            || (ours.iter().any(takes_all) && !others.iter().any(is_at(local)))
    };
    let peers = rows.iter().filter_map(|row| match *row {
        Row::Unread { local, peer } if is_own(local) => Some(peer),
        _ => None,
    });
    peers.collect()
}

/// The inode numbers of this program's open sockets.
fn own_sockets() -> HashSet<u64> {
    let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let socket = |file: std::io::Result<std::fs::DirEntry>| {
        let target = std::fs::read_link(file.ok()?.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        inode.strip_suffix(']')?.parse().ok()
    };
    files.filter_map(socket).collect()
}

fn parse(table: &str, port: u16) -> impl Iterator<Item = Row> {
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, peer, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, to) = local.split_once(':')?;
        if u16::from_str_radix(to, 16).ok()? != port {
            return None;
        }
        let local = address(local)?.ip();
        if state == LISTENS {
            let inode = fields.nth(5)?.parse().ok()?;
            return Some(Row::Listens { local, inode });
        }
        let (_, received) = fields.next()?.split_once(':')?;
        let waits = STATES.contains(&state) && u32::from_str_radix(received, 16).ok()? > 0;
        let peer = address(peer)?;
        waits.then_some(Row::Unread { local, peer })
    })
}

/// Parses `0100007F:1F90`: the words of the address in the machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = ip.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (at, octets) in octets.chunks_exact_mut(4).enumerate() {
                octets.copy_from_slice(&word(at)?);
            }
            // A dual-stack listener reports an IPv4 client as ::ffff:127.0.0.1.
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn only_connections_to_the_port_with_unread_bytes_count() {
        let table =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000053 00:00000000 00000000     0        0 2
   2: 0100007F:1F90 0100007F:C002 01 00000000:00000000 00:00000000 00000000     0        0 3
   3: 0100007F:1F91 0100007F:C003 01 00000000:00000053 00:00000000 00000000     0        0 4
   4: 0100007F:1F90 0200007F:C004 08 00000000:00000010 00:00000000 00000000     0        0 5
   5: broken";
        assert_eq!(peers(table), ["127.0.0.1:49153", "127.0.0.2:49156"]);
        let mapped = "head
   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C001 01 0:5 x";
        assert_eq!(peers(mapped), ["127.0.0.1:49153"]);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn connections_to_another_program_on_the_same_port_are_left_out() {
        let table = "head
   0: 0100007F:1F90 00000000:0000 0A 0:0 00:00 0 0 0 11 1
   1: 0200007F:1F90 00000000:0000 0A 0:0 00:00 0 0 0 22 1
   2: 0100007F:1F90 0100007F:C001 01 0:5 00:00 0 0 0 33 1
   3: 0200007F:1F90 0100007F:C002 01 0:5 00:00 0 0 0 0 1";
        assert_eq!(peers(table), ["127.0.0.1:49153"]);
        let all = table.replacen("0100007F", "00000000", 1);
        assert_eq!(
            peers(&all),
            ["127.0.0.1:49153"],
            "this program listens on all addresses"
        );
        let all = table.replacen("0200007F", "00000000", 1);
        assert_eq!(
            peers(&all),
            ["127.0.0.1:49153"],
            "the other program listens on all addresses"
        );
    }

    /// The connections of a program whose only listener is the socket 11.
    #[cfg(target_endian = "little")]
    fn peers(table: &str) -> Vec<String> {
        let rows: Vec<_> = parse(table, 8080).collect();
        let peers = own(&rows, || HashSet::from([11]));
        peers.iter().map(SocketAddr::to_string).collect()
    }

    proptest::proptest! {
        #[test]
        fn no_table_makes_the_parser_panic(
            table in "head\n([0-9A-F:. ]{0,90}\n){0,4}",
            port in proptest::num::u16::ANY,
        ) {
            parse(&table, port).for_each(drop);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_with_unread_bytes_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        assert_eq!(unread(port), []);
        client.write_all(b"GET / HTTP/1.1\r\n").expect("sent");
        let deadline = Instant::now() + Duration::from_secs(10);
        while unread(port) != [client.local_addr().expect("bound")] {
            assert!(Instant::now() < deadline, "{:?}", unread(port));
            std::thread::yield_now();
        }
    }
}
