//! The first connection, to the address of a name that answers first (RFC 8305, "happy eyeballs").

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How long to try one address before also trying the next, as the RFC recommends.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that can be reached, and returns the last error if none can. The next
/// address is tried when the one before has failed or has not answered within [`NEXT_AFTER`].
pub(super) async fn first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    race(interleaved(addresses), TcpStream::connect).await
}

async fn race<S, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut addresses = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    loop {
        trying.extend(addresses.next().map(&connect));
        tokio::select! {
            biased;
            tried = trying.next() => match tried {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(NEXT_AFTER), if addresses.len() > 0 => {}
        }
    }
}

/// Alternates between the address families, beginning with the system's first choice. Otherwise all addresses
/// of an unreachable family would be tried before the other family.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<SocketAddr>, Vec<_>) = addresses
        .iter()
        .partition(|address| address.is_ipv6() == preferred);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(one.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::{Instant, timeout};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_delays_only_briefly() {
        // A queue of new connections that is full: the system drops what else comes, so that an
        // attempt to connect hangs, as one to an address that leads nowhere does.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("a free port");
        let full = socket.listen(0).expect("it listens");
        let dead = full.local_addr().expect("bound");
        let mut filling = Vec::new();
        while let Ok(stood) = timeout(NEXT_AFTER * 2, TcpStream::connect(dead)).await {
            filling.push(stood.expect("it stands in the queue"));
        }
        let (_listener, alive) = listening().await;

        let begun = Instant::now();
        let stream = timeout(TIMEOUT, first(&[dead, alive])).await;
        let stream = stream.expect("in time").expect("it answers");
        assert_eq!(stream.peer_addr().expect("it stands"), alive);
        assert!(begun.elapsed() >= NEXT_AFTER, "the first has had its time");
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_not_waited_for() {
        let (listener, refusing) = listening().await;
        drop(listener);
        let (_listener, alive) = listening().await;
        let stream = first(&[refusing, alive]).await.expect("one answers");
        assert_eq!(stream.peer_addr().expect("it stands"), alive);

        let error = first(&[refusing, refusing])
            .await
            .expect_err("none answers");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = first(&[]).await.expect_err("there is none");
        assert!(error.to_string().contains("no address"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_tried_at_intervals_and_the_first_to_answer_wins() {
        let ms = Duration::from_millis;
        let [slow, dead, quick] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let connect = |address| async move {
            let takes = [ms(600), ms(60_000), ms(10)][usize::from(SocketAddr::port(&address)) - 1];
            sleep(takes).await;
            Ok(address)
        };
        for (addresses, winner, after) in [
            (vec![slow, quick], quick, 260),
            (vec![dead, dead, quick], quick, 510),
            (vec![slow, dead], slow, 600),
            (vec![quick, slow], quick, 10),
        ] {
            let begun = Instant::now();
            let won = race(addresses.clone(), connect).await.expect("one answers");
            assert_eq!(won, winner, "{addresses:?}");
            assert_eq!(begun.elapsed().as_millis(), after, "{addresses:?}");
        }
    }

    #[test]
    fn address_families_alternate() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let six = ["[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let four = ["127.0.0.1:1", "127.0.0.2:1"].map(address);
        let order = [six[0], four[0], six[1], four[1], six[2]];
        assert_eq!(interleaved(&[&six[..], &four[..]].concat()), order);
        let order = [four[0], six[0], four[1], six[1], six[2]];
        assert_eq!(interleaved(&[&four[..], &six[..]].concat()), order);
        assert_eq!(interleaved(&six), six);
    }
}
