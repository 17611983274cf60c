//! The lab must cope with any query, and with any `Accept`, which follows the first zero byte.
#![no_main]

use std::time::Duration;

use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use holdup::countdown::{Format, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let longest = Duration::from_secs(60);
    let zero = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let (query, accept) = data.split_at(zero);
    if let Ok(query) = std::str::from_utf8(query)
        && let Ok(query) = Query::parse(query, longest)
    {
        assert!(query.period * u32::from(query.from) <= longest);
        assert!(query.label.is_none_or(|label| label.chars().count() <= 64));
    }
    if let Ok(accept) = HeaderValue::from_bytes(accept.get(1..).unwrap_or_default()) {
        let request = TestRequest::get().insert_header(("accept", accept));
        let _ = Format::negotiate(&request.to_http_request());
    }
});
