//! Handlers that wait in libraries: HTTP clients and pools.

use actix_web::web::{self, ServiceConfig};
use deadpool::managed::{self, Metrics, RecycleResult};

use crate::primitives::LONG;
use crate::upstream;

async fn awc() -> &'static str {
    let client = awc::Client::builder().timeout(LONG).finish();
    let request = client.get(upstream::url());
    request.send().await.ok(); // awc
    "done"
}

struct Connections;

impl managed::Manager for Connections {
    type Type = u8;
    type Error = std::io::Error;

    async fn create(&self) -> Result<u8, std::io::Error> {
        Ok(1)
    }

    async fn recycle(&self, _: &mut u8, _: &Metrics) -> RecycleResult<std::io::Error> {
        Ok(())
    }
}

async fn deadpool() -> &'static str {
    let pool = managed::Pool::<Connections>::builder(Connections)
        .max_size(1)
        .build();
    let pool = pool.expect("a pool");
    let _first = pool.get().await.expect("the first is free");
    let _second = pool.get().await; // deadpool
    "done"
}

#[cfg(feature = "heavy")]
mod heavy {
    use sqlx::sqlite::SqlitePoolOptions;

    use crate::arrivals::arrive;
    use crate::primitives::LONG;
    use crate::upstream;

    pub async fn reqwest() -> &'static str {
        let client = reqwest::Client::new();
        client.get(upstream::url()).send().await.ok(); // reqwest
        "done"
    }

    pub async fn sqlx() -> &'static str {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(LONG);
        let pool = pool.connect("sqlite::memory:").await.expect("a database");
        let _first = pool.acquire().await.expect("the first is free");
        arrive();
        let _second = pool.acquire().await; // sqlx
        "done"
    }

    pub async fn sqlx_query() -> &'static str {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(LONG);
        let pool = pool.connect("sqlite::memory:").await.expect("a database");
        let _first = pool.acquire().await.expect("the first is free");
        let query = sqlx::query("SELECT 1");
        arrive();
        query.execute(&pool).await.ok(); // sqlx_query
        "done"
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/awc", web::to(awc))
        .route("/deadpool", web::to(deadpool));
    #[cfg(feature = "heavy")]
    config
        .route("/reqwest", web::to(heavy::reqwest))
        .route("/sqlx", web::to(heavy::sqlx))
        .route("/sqlx_query", web::to(heavy::sqlx_query));
}
