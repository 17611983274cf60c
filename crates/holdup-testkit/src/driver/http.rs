//! WebDriver over HTTP, the protocol of chromedriver: JSON in both directions on one connection.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::refused::Refused;

pub(super) struct WebDriver {
    connection: BufReader<TcpStream>,
    /// The path of the session.
    session: String,
}

impl WebDriver {
    pub(super) async fn begin(driver: SocketAddr, capabilities: Value) -> Result<Self, Refused> {
        let mut driver = Self {
            connection: BufReader::new(TcpStream::connect(driver).await?),
            session: String::new(),
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let begun = driver.run("POST", "/session", wanted).await?;
        let id = begun["sessionId"].as_str();
        let id = id.ok_or_else(|| Refused::new(format!("no session: {begun}")))?;
        driver.session = format!("/session/{id}");
        Ok(driver)
    }

    pub(super) async fn run(
        &mut self,
        method: &str,
        path: &str,
        parameters: Value,
    ) -> Result<Value, Refused> {
        let body = match method {
            "POST" => parameters.to_string(),
            _ => String::new(),
        };
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.session,
            body.len()
        );
        self.connection.write_all(request.as_bytes()).await?;
        let mut answer = self.answer().await?;
        let value = answer["value"].take();
        if value["error"].is_string() {
            return Err(Refused::from(&value));
        }
        Ok(value)
    }

    async fn answer(&mut self) -> io::Result<Value> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.connection.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}
