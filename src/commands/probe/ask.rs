//! What each request is, from the options.

use std::error::Error;

use holdup_model::HumanDuration;
use holdup_probe::{Request, Target};

use super::flags;
use crate::cli::Probe;

/// The measured URL, and what is sent to it.
pub(super) fn request(options: &Probe) -> Result<(Target, Request), Box<dyn Error>> {
    let (lasting, timeout) = (options.lasting, options.timeout);
    if let Some((lasting, timeout)) = lasting.zip(timeout).filter(|(long, most)| long >= most) {
        let error = format!(
            "--for is {}, but must be shorter than the longest time for one request, {} (--timeout)",
            HumanDuration(lasting),
            HumanDuration(timeout)
        );
        return Err(error.into());
    }
    let target = Target::parse(&options.url).map_err(|error| flags::bad_url(&error))?;
    let mut request = Request::default();
    if let Some(body) = &options.body {
        request = request.method("POST")?.body(body.as_str());
    }
    if let Some(method) = &options.method {
        request = request.method(method)?;
    }
    for header in &options.headers {
        request = request.header(header)?;
    }
    Ok((target, request))
}

/// A URL that an option gives.
pub(super) fn other(flag: &str, url: &str) -> Result<Target, String> {
    Target::parse(url).map_err(|error| format!("{flag}: {}", flags::bad_url(&error)))
}
