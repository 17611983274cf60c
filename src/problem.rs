//! Errors, in the form that clients of the lab receive.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};
use actix_web::{HttpResponse, ResponseError};

use holdup_http::problem::Problem;

/// A [`Problem`] that pages of any origin may read. The console's page needs this: it sends
/// requests to the lab, which is another origin.
#[derive(Debug, Clone)]
pub struct Readable(Problem);

impl From<Problem> for Readable {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Readable {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.response();
        let anybody = HeaderValue::from_static("*");
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
        response
    }
}
