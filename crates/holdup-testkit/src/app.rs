//! An actix app that a test serves itself, in this process, on a free port.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer, rt::System};

pub struct Served {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Serves the app that `make` returns, on one worker.
pub fn serve<T, B>(make: impl Fn() -> App<T> + Send + Clone + 'static) -> Served
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    serve_on(1, make)
}

/// Serves the app that `make` returns, on this many workers.
pub fn serve_on<T, B>(workers: usize, make: impl Fn() -> App<T> + Send + Clone + 'static) -> Served
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            let server = HttpServer::new(make).workers(workers).disable_signals();
            let server = server.bind("127.0.0.1:0").expect("a free port");
            let address = server.addrs()[0];
            let server = server.run();
            tell.send((address, server.handle()))
                .expect("the test waits for it");
            server.await.expect("the server runs");
        });
    });
    let (address, handle) = told.recv().expect("the server starts");
    Served {
        address,
        handle,
        thread: Some(thread),
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The call sends the command; the future that it returns only waits for the end.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}
