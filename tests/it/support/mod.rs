pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod external;
pub(crate) mod lab;
pub(crate) mod odd;
pub(crate) mod server;
