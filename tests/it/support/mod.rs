pub(crate) mod lab;
pub(crate) mod server;
