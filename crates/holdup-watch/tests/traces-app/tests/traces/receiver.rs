//! A receiver of spans: it decodes what exporters send by OpenTelemetry's protocol (OTLP over HTTP, with protobufs).

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// The longest that a test waits for an answer or a span.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A span, and the service that has exported it.
#[derive(Debug, Clone)]
pub struct Exported {
    pub service: String,
    pub span: Span,
}

/// All spans that were received so far.
#[derive(Debug, Clone, Default)]
pub struct Receiver(Arc<Mutex<Vec<Exported>>>);

impl Receiver {
    /// Starts a receiver. Also returns its address.
    pub fn start() -> (Self, String) {
        let receiver = Self::default();
        let (bound, is_bound) = channel();
        let data = Data::new(receiver.clone());
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(data.clone())
                        .app_data(PayloadConfig::new(64 << 20))
                        .route("/v1/traces", post().to(take))
                });
                let server = server.workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).expect("a free port");
                bound.send(server.addrs()[0]).expect("the test waits");
                server.run().await.expect("it runs");
            });
        });
        let address = is_bound.recv().expect("it runs");
        (receiver, format!("http://{address}"))
    }

    /// The only span of a service in a trace. Waits for it.
    pub fn span(&self, service: &str, trace: &str) -> Span {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans(service, trace);
            assert!(spans.len() < 2, "one span for a request: {spans:#?}");
            if let Some(span) = spans.into_iter().next() {
                return span;
            }
            let all = self.0.lock().expect("nobody panics with it").clone();
            assert!(Instant::now() < deadline, "{service} {trace}: {all:#?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The spans of a service in a trace that were received so far.
    fn spans(&self, service: &str, trace: &str) -> Vec<Span> {
        let all = self.0.lock().expect("nobody panics with it");
        let of_it = all.iter().filter(|exported| {
            exported.service == service && hex(&exported.span.trace_id) == trace
        });
        of_it.map(|exported| exported.span.clone()).collect()
    }
}

async fn take(body: Bytes, receiver: Data<Receiver>) -> HttpResponse {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut all = receiver.0.lock().expect("nobody panics with it");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("a resource");
        let service = texts(&resource.attributes)["service.name"].clone();
        for span in of_resource
            .scope_spans
            .into_iter()
            .flat_map(|of_scope| of_scope.spans)
        {
            let service = service.clone();
            all.push(Exported { service, span });
        }
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    HttpResponse::Ok()
        .content_type("application/x-protobuf")
        .body(answer)
}

/// An identifier as it is written in headers.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attributes by name.
///
/// # Panics
///
/// If a name occurs twice.
pub fn values(attributes: &[KeyValue]) -> HashMap<&str, &Value> {
    let mut all = HashMap::new();
    for attribute in attributes {
        let value = attribute
            .value
            .as_ref()
            .and_then(|value| value.value.as_ref());
        let before = all.insert(attribute.key.as_str(), value.expect("a value"));
        assert!(before.is_none(), "{} twice: {attributes:#?}", attribute.key);
    }
    all
}

/// The attributes that are texts.
pub fn texts(attributes: &[KeyValue]) -> HashMap<&str, String> {
    let texts = values(attributes).into_iter();
    let texts = texts.filter_map(|(name, value)| match value {
        Value::StringValue(text) => Some((name, text.clone())),
        _ => None,
    });
    texts.collect()
}
