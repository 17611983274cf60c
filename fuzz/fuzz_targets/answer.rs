//! The prober must cope with any answer of a server.
#![no_main]

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use holdup_probe::{Request, Settings, Target, probe};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

/// A server on this machine that answers with the given bytes.
struct Odd {
    answer: Arc<Mutex<Vec<u8>>>,
    target: Target,
    runtime: Runtime,
}

thread_local! {
    static ODD: RefCell<Option<Odd>> = const { RefCell::new(None) };
}

fn start() -> Odd {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("bound");
    let answer = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = told.lock().expect("nobody panics with it").clone();
            // The request's head arrives in one piece. The prober may have closed the connection
            // already.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
    Odd {
        answer,
        target: Target::parse(&address.to_string()).expect("a URL"),
        runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
    }
}

fuzz_target!(|data: &[u8]| {
    ODD.with_borrow_mut(|odd| {
        let odd = odd.get_or_insert_with(start);
        *odd.answer.lock().expect("nobody panics with it") = data.to_vec();
        let mut settings = Settings::default();
        settings.requests = 2;
        settings.timeout = Some(Duration::from_millis(300));
        let begun = Instant::now();
        let mut observe = |_: holdup_probe::Event<'_>| ();
        let request = Request::default();
        let probing = probe(&odd.target, &request, settings, &mut observe);
        let report = odd.runtime.block_on(probing);
        assert!(!report.found.verdict.sentence.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
});
