//! Over how many workers and replicas connections fall.

mod ask;
mod fresh;
mod frozen;
mod id;
mod json;
mod kept;
mod report;
mod run;
mod settings;

pub use frozen::FROZEN_ROUNDS;
pub use id::{AnswerId, BadId};
pub use json::SpreadDocument;
pub use report::{Named, SpreadReport};
pub use run::spread;
pub use settings::{
    KEPT_CONNECTIONS, LEAST_CONNECTIONS, MOST_CONNECTIONS, MOST_FROZEN, REQUESTS_EACH,
    SpreadSettings,
};
