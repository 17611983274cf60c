//! A small server for HTTP/2, by prior knowledge or over TLS, and for HTTP/1.1.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Shared, mpsc};
use std::thread;
use std::time::Duration;

use h2::Reason;
use h2::server::{Builder, SendResponse};
use hyper::Response;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What an answer takes.
const SERVICE: Duration = Duration::from_millis(250);

/// How long it says nothing: longer than a test waits.
const SILENCE: Duration = Duration::from_secs(60);

/// What the server does.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each one changes the server, whatever the others are"
)]
pub(crate) struct Ways {
    /// How many streams it allows at a time on a connection.
    pub(crate) max_streams: Option<u32>,
    /// Whether it answers one at a time on each connection.
    pub(crate) serial: bool,
    /// It refuses a stream beyond this many at a time on a connection.
    pub(crate) refuses_beyond: Option<usize>,
    /// It ends a connection with GOAWAY when this many streams have begun on it.
    pub(crate) goodbye_at: Option<usize>,
    /// Whether it speaks HTTP/1.1 as well …
    pub(crate) http1: bool,
    /// … or nothing else.
    pub(crate) http2: bool,
    /// Whether it closes connections of HTTP/2 …
    pub(crate) closes: bool,
    /// … or says nothing on them.
    pub(crate) silent: bool,
    /// How long the body is.
    pub(crate) bytes: usize,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            max_streams: None,
            serial: false,
            refuses_beyond: None,
            goodbye_at: None,
            http1: true,
            http2: true,
            closes: false,
            silent: false,
            bytes: 5,
        }
    }
}

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many requests it got over HTTP/1.1.
    pub(crate) http1: AtomicUsize,
    /// How many requests it got over HTTP/2.
    pub(crate) http2: AtomicUsize,
    /// How much of a body it could send at once when it had a whole one to send.
    pub(crate) windows: Shared<Vec<usize>>,
    /// The most requests that ran at a time on one connection.
    pub(crate) most: AtomicUsize,
    /// The last request over HTTP/2.
    pub(crate) last: Shared<Option<hyper::Request<()>>>,
    /// Its body.
    pub(crate) body: Shared<Vec<u8>>,
}

impl Seen {
    pub(crate) fn count(&self) -> (usize, usize) {
        let count = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        (count(&self.http1), count(&self.http2))
    }
}

/// Starts a server, over TLS if there is an acceptor.
pub(crate) fn serve(ways: Ways, tls: Option<TlsAcceptor>) -> (SocketAddr, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let (send, address) = mpsc::channel();
    let shared = Arc::clone(&seen);
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.expect("a free port");
            send.send(listener.local_addr().expect("bound"))
                .expect("the test waits");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (ways, seen, tls) = (ways.clone(), Arc::clone(&shared), tls.clone());
                tokio::spawn(async move { connection(stream, tls, ways, seen).await });
            }
        });
    });
    (address.recv().expect("it starts"), seen)
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, ways: Ways, seen: Arc<Seen>) {
    let Some(tls) = tls else {
        let mut beginning = [0; 3];
        let length = stream.peek(&mut beginning).await.unwrap_or_default();
        return if &beginning[..length] == b"PRI" {
            http2(stream, ways, seen).await;
        } else {
            http1(stream, ways, seen).await;
        };
    };
    // The client may have left, or may have found no protocol in common.
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2(stream, ways, seen).await;
    } else {
        http1(stream, ways, seen).await;
    }
}

async fn http1(mut stream: impl AsyncRead + AsyncWrite + Unpin, ways: Ways, seen: Arc<Seen>) {
    if !ways.http1 {
        stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.ok();
        return;
    }
    let mut head = Vec::new();
    while !head.windows(4).any(|part| part == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    if head.starts_with(b"PRI") {
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.ok();
        return;
    }
    seen.http1.fetch_add(1, Ordering::SeqCst);
    sleep(SERVICE).await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", ways.bytes);
    stream.write_all(head.as_bytes()).await.ok();
    stream.write_all(&vec![b'x'; ways.bytes]).await.ok();
}

async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ways: Ways,
    seen: Arc<Seen>,
) {
    if !ways.http2 {
        return http1(stream, ways, seen).await;
    }
    if ways.silent {
        sleep(SILENCE).await;
    }
    if ways.silent || ways.closes {
        return;
    }
    let mut builder = Builder::new();
    if let Some(max) = ways.max_streams {
        builder.max_concurrent_streams(max);
    }
    builder.max_send_buffer_size(1 << 31);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    let turn = Arc::new(Mutex::new(()));
    let (running, mut begun) = (Arc::new(AtomicUsize::new(0)), 0);
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        seen.http2.fetch_add(1, Ordering::SeqCst);
        begun += 1;
        if ways.goodbye_at == Some(begun) {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            continue;
        }
        let at_once = running.load(Ordering::SeqCst);
        if ways.refuses_beyond.is_some_and(|most| at_once >= most) {
            respond.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(at_once, Ordering::SeqCst);
        let (turn, running) = (Arc::clone(&turn), Arc::clone(&running));
        let (ways, seen) = (ways.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let (head, mut body) = request.into_parts();
            let mut whole = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                body.flow_control().release_capacity(data.len()).ok();
                whole.extend_from_slice(&data);
            }
            *seen.last.lock().expect("unharmed") = Some(hyper::Request::from_parts(head, ()));
            *seen.body.lock().expect("unharmed") = whole;
            if ways.serial {
                let _turn = turn.lock().await;
                sleep(SERVICE).await;
            } else {
                sleep(SERVICE).await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            answer(&mut respond, &ways, &seen);
        });
    }
}

fn answer(respond: &mut SendResponse<Bytes>, ways: &Ways, seen: &Seen) {
    let Ok(mut sending) = respond.send_response(Response::new(()), false) else {
        return;
    };
    sending.reserve_capacity(ways.bytes);
    seen.windows
        .lock()
        .expect("unharmed")
        .push(sending.capacity());
    sending
        .send_data(Bytes::from(vec![b'x'; ways.bytes]), true)
        .ok();
}

/// Agrees to these protocols, with a certificate that nobody knows.
pub(crate) fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let folder = holdup_testkit::external::folder();
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", "/CN=holdup test", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs; scripts/test installs it");
    assert!(made.status.success(), "{made:?}");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    std::fs::remove_dir_all(folder).ok();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}
