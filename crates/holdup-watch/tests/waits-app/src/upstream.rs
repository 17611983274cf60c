//! A server on a thread of its own that takes connections and never answers.

use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::thread;

/// Where it listens.
pub fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            let mut connections = Vec::new();
            for connection in listener.incoming() {
                connections.push(connection);
            }
        });
        address
    })
}

/// Its URL for HTTP clients.
pub fn url() -> String {
    format!("http://{}/", address())
}
