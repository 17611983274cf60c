//! The way to the server: names, certificates, redirects.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{IpAddr, ServerName};
use url::{Host, Url};

use super::connection::{Endpoint, Tls};
use super::target::Target;
use super::tls;
use holdup_model::Failure;

/// Finds out how `target` is reached.
pub(super) async fn find(
    target: &Target,
    insecure: bool,
    longest: Duration,
) -> Result<Endpoint, Failure> {
    let url = target.parsed();
    let addresses = timeout(longest, addresses(url)).await;
    let addresses = addresses.unwrap_or(Err(Failure::TimedOut))?;
    let tls = if target.is_tls() {
        let http1 = tls::connector(insecure).map_err(Failure::Other)?;
        Some(Tls {
            http2: tls::offering_http2(&http1),
            http1,
            name: server_name(url)?,
        })
    } else {
        None
    };
    Ok(Endpoint { addresses, tls })
}

async fn addresses(url: &Url) -> Result<Vec<SocketAddr>, Failure> {
    // An http or https URL has both.
    let (host, port) = url
        .host()
        .zip(url.port_or_known_default())
        .ok_or_else(nowhere)?;
    let name = match host {
        Host::Domain(name) => name,
        Host::Ipv4(ip) => return Ok(vec![(ip, port).into()]),
        Host::Ipv6(ip) => return Ok(vec![(ip, port).into()]),
    };
    let found = lookup_host((name, port)).await;
    let found: Vec<_> = found
        .map_err(|error| Failure::Other(format!("the name {name} does not resolve: {error}")))?
        .collect();
    if found.is_empty() {
        return Err(Failure::Other(format!("the name {name} has no address")));
    }
    Ok(found)
}

fn server_name(url: &Url) -> Result<ServerName<'static>, Failure> {
    match url.host().ok_or_else(nowhere)? {
        Host::Domain(name) => ServerName::try_from(name.to_owned())
            .map_err(|_| Failure::Other(format!("{name} is not a valid server name for TLS"))),
        Host::Ipv4(ip) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V4(
            ip,
        )))),
        Host::Ipv6(ip) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V6(
            ip,
        )))),
    }
}

fn nowhere() -> Failure {
    Failure::Other("the URL has no host".to_owned())
}
