//! Several labs behind a real nginx, watched by a real Prometheus with the rules of `deploy/`.

mod alerts;
mod compose;
mod dashboard;
mod fleet;
mod rules;
mod stopping;

use std::path::{Path, PathBuf};

/// A file or folder of `deploy/`.
fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}
