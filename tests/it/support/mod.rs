pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod server;
