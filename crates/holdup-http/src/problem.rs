//! Errors in the form that clients receive: `application/problem+json`, RFC 9457.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

/// An error of a request, in a form that both a person and a program can use.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    input: Option<Box<Input>>,
    /// A header of the response: name and value.
    #[serde(skip)]
    header: Option<(&'static str, &'static str)>,
}

/// The parameter or header that was wrong, its value, and what is allowed.
#[derive(Debug, Clone, Serialize)]
struct Input {
    parameter: Cow<'static, str>,
    value: String,
    allowed: String,
}

/// The longest value that is sent back. A longer value is cut and ends in `…`.
const VALUE_SHOWN: usize = 80;

impl Problem {
    fn new(kind: &'static str, title: &'static str, status: StatusCode, detail: String) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail,
            input: None,
            header: None,
        }
    }

    fn about(
        mut self,
        parameter: impl Into<Cow<'static, str>>,
        value: &str,
        allowed: String,
    ) -> Self {
        self.input = Some(Box::new(Input {
            parameter: parameter.into(),
            value: shortened(value),
            allowed,
        }));
        self
    }

    /// 400: a query parameter that cannot be used.
    pub fn bad_parameter(
        parameter: impl Into<Cow<'static, str>>,
        value: &str,
        allowed: String,
    ) -> Self {
        let parameter = parameter.into();
        Self::new(
            "urn:holdup:problem:bad-parameter",
            "A parameter is out of range or cannot be read",
            StatusCode::BAD_REQUEST,
            format!("{parameter} is {:?}; allowed: {allowed}", shortened(value)),
        )
        .about(parameter, value, allowed)
    }

    /// 400: a field of the body that the service does not know.
    pub fn unknown_field(field: String, value: &str, allowed: String) -> Self {
        Self::new(
            "urn:holdup:problem:unknown-field",
            "The body has an unknown field",
            StatusCode::BAD_REQUEST,
            format!(
                "unknown field `{}`, which is {:?}; allowed: {allowed}",
                shortened(&field),
                shortened(value)
            ),
        )
        .about(field, value, allowed)
    }

    /// 400: a header that cannot be used.
    pub fn bad_header(header: &'static str, value: &str, allowed: String) -> Self {
        Self::new(
            "urn:holdup:problem:bad-header",
            "A header is missing or cannot be read",
            StatusCode::BAD_REQUEST,
            format!("{header} is {:?}; allowed: {allowed}", shortened(value)),
        )
        .about(header, value, allowed)
    }

    /// 404: a path that is not one of `routes`.
    pub fn not_found(path: &str, routes: &str) -> Self {
        Self::new(
            "urn:holdup:problem:no-such-route",
            "There is nothing at this path",
            StatusCode::NOT_FOUND,
            format!(
                "{:?} is not a route; the routes are: {routes}",
                shortened(path)
            ),
        )
    }

    /// 405: a method that the route does not answer. `allowed` becomes the `Allow` header.
    pub fn method_not_allowed(method: &str, allowed: &'static str) -> Self {
        let mut problem = Self::new(
            "urn:holdup:problem:method-not-allowed",
            "The route does not answer this method",
            StatusCode::METHOD_NOT_ALLOWED,
            format!("the method is {}; allowed: {allowed}", shortened(method)),
        );
        problem.header = Some(("allow", allowed));
        problem
    }

    /// 406: the service can produce none of the types in `Accept`.
    pub fn not_acceptable(accept: &str, available: String) -> Self {
        Self::new(
            "urn:holdup:problem:not-acceptable",
            "None of the accepted types can be produced",
            StatusCode::NOT_ACCEPTABLE,
            format!("Accept is {:?}; available: {available}", shortened(accept)),
        )
        .about("Accept", accept, available)
    }

    /// 400: a body that cannot be used.
    pub fn bad_body(detail: String) -> Self {
        Self::new(
            "urn:holdup:problem:bad-body",
            "The body cannot be used",
            StatusCode::BAD_REQUEST,
            detail,
        )
    }

    /// 403: a request that came from another site.
    pub fn forbidden(detail: String) -> Self {
        Self::new(
            "urn:holdup:problem:forbidden",
            "The request came from another site",
            StatusCode::FORBIDDEN,
            detail,
        )
    }

    /// 409: the request conflicts with something that is still running.
    pub fn conflict(detail: String) -> Self {
        Self::new(
            "urn:holdup:problem:conflict",
            "Something else is still running",
            StatusCode::CONFLICT,
            detail,
        )
    }

    /// 413: a body longer than `most` bytes.
    pub fn too_large(most: usize) -> Self {
        Self::new(
            "urn:holdup:problem:too-large",
            "The body is too large",
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body was cut off, or is larger than the {most} bytes that are allowed"),
        )
    }

    /// 415: a body of a type that the service does not accept.
    pub fn unsupported_type(detail: String) -> Self {
        Self::new(
            "urn:holdup:problem:unsupported-type",
            "The body's type is not supported",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            detail,
        )
    }

    /// 503: the service cannot answer at the moment.
    pub fn unavailable(detail: String) -> Self {
        let mut problem = Self::new(
            "urn:holdup:problem:unavailable",
            "The service is unavailable at the moment",
            StatusCode::SERVICE_UNAVAILABLE,
            detail,
        );
        problem.header = Some(("retry-after", "1"));
        problem
    }

    /// 503: the limit on open streams is reached. A place becomes free when a stream ends.
    pub fn too_many_streams(max: usize) -> Self {
        let mut problem = Self::new(
            "urn:holdup:problem:too-many-streams",
            "Too many streams are open",
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{max} streams are open, and no more are allowed at once; try again when one has ended"
            ),
        );
        problem.header = Some(("retry-after", "1"));
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Problem {
    /// Converts the problem to a response. Pages of other origins cannot read it, unless the caller
    /// adds `Access-Control-Allow-Origin`.
    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(header) = self.header {
            response.insert_header(header);
        }
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        // Serializing strings and a number cannot fail. If it did, the detail would still name the
        // error.
        response.body(serde_json::to_string(self).unwrap_or_else(|_| self.detail.clone()))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        // The status was set from a `StatusCode`, so it is valid.
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_SHOWN) {
        None => value.to_owned(),
        Some((cut, _)) => format!("{}…", &value[..cut]),
    }
}
