//! Marionette, Firefox's own protocol: JSON on a plain connection, each message preceded by its
//! length and a colon. A command is `[0, id, name, parameters]`, its answer `[1, id, error,
//! result]`.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::refused::Refused;

pub(super) struct Marionette {
    connection: BufReader<TcpStream>,
    /// The id of the last command.
    id: u32,
}

impl Marionette {
    pub(super) async fn begin(firefox: SocketAddr, capabilities: Value) -> Result<Self, Refused> {
        let connection = BufReader::new(TcpStream::connect(firefox).await?);
        let mut session = Self { connection, id: 0 };
        let hello = session.message().await?;
        if hello["marionetteProtocol"] != 3 {
            return Err(Refused::new(format!("another protocol: {hello}")));
        }
        let begun = session.run("WebDriver:NewSession", capabilities.clone());
        let begun = begun.await?;
        for (name, value) in capabilities.as_object().into_iter().flatten() {
            // Firefox ignores capabilities that it does not know.
            if begun["capabilities"][name] != *value {
                return Err(Refused::new(format!("{name} is not {value}: {begun}")));
            }
        }
        Ok(session)
    }

    pub(super) async fn run(&mut self, name: &str, parameters: Value) -> Result<Value, Refused> {
        self.id += 1;
        let command = json!([0, self.id, name, parameters]).to_string();
        let message = format!("{}:{command}", command.len());
        self.connection.write_all(message.as_bytes()).await?;
        let mut answer = self.message().await?;
        if answer[0] != 1 || answer[1] != self.id {
            return Err(Refused::new(format!("not the answer to {name}: {answer}")));
        }
        if !answer[2].is_null() {
            return Err(Refused::from(&answer[2]));
        }
        let mut result = answer[3].take();
        // Some results are the bare value.
        Ok(match result.get_mut("value") {
            Some(value) => value.take(),
            None => result,
        })
    }

    async fn message(&mut self) -> io::Result<Value> {
        let mut length = Vec::new();
        self.connection.read_until(b':', &mut length).await?;
        let length = length.strip_suffix(b":");
        let length = length.ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = str::from_utf8(length).map_err(io::Error::other)?;
        let mut text = vec![0; length.parse().map_err(io::Error::other)?];
        self.connection.read_exact(&mut text).await?;
        Ok(serde_json::from_slice(&text)?)
    }
}
