//! The middleware: a factory on each worker, and the service that wraps the rest of the app.

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};

use super::body::WatchedBody;
use super::future::WatchedFuture;
use super::route::Paths;
use super::watch::Watch;
use holdup_detect::{Request, Worker};

impl<S, B> Transform<S, ServiceRequest> for Watch
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<WatchedBody<B>>;
    type Error = Error;
    type Transform = WatchedService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let worker = self.detector().worker(|task| {
            actix_web::rt::spawn(task);
        });
        let paths = RefCell::default();
        ready(Ok(WatchedService {
            service,
            worker,
            paths,
        }))
    }
}

/// The wrapped service, whose requests the watch records. [`Watch`] creates it as middleware.
#[derive(Debug)]
pub struct WatchedService<S> {
    service: S,
    worker: Rc<Worker>,
    paths: RefCell<Paths>,
}

impl<S, B> Service<ServiceRequest> for WatchedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<WatchedBody<B>>;
    type Error = Error;
    type Future = WatchedFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let route = self.paths.borrow_mut().number(&request, &self.worker);
        let open = Request::open(&self.worker, route, |with_query| {
            let path = request.uri().path_and_query().filter(|_| with_query);
            let path = path.map_or(request.path(), |path| path.as_str());
            (path, request.peer_addr())
        });
        let call = open.enter_call();
        let future = self.service.call(request);
        call.end();
        WatchedFuture::new(future, open)
    }
}
