//! The sockets of a process, and the file that tells others where they are.

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;

use super::{ServerConfig, ServerError};

/// The sockets of a process.
#[derive(Debug)]
pub struct Listeners {
    main: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    /// Binds both addresses and writes them to the address file.
    pub async fn bind(config: &ServerConfig) -> Result<Self, ServerError> {
        let main = bind(config.listen).await?;
        let admin = bind(config.admin_listen).await?;
        let listeners = Self { main, admin };
        if let Some(path) = &config.addr_file {
            let text = format!(
                "listen={}\nadmin={}\n",
                listeners.address(),
                listeners.admin()
            );
            write_whole(path, &text)
                .await
                .map_err(|error| ServerError::AddrFile(path.clone(), error))?;
        }
        Ok(listeners)
    }

    /// Where the service answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        address_of(&self.main)
    }

    /// Where health and metrics are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        address_of(&self.admin)
    }

    /// The sockets themselves, for a process that serves something else than gRPC.
    #[must_use]
    pub fn into_parts(self) -> (TcpListener, TcpListener) {
        (self.main, self.admin)
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ServerError::Listen(address, error))
}

fn address_of(listener: &TcpListener) -> SocketAddr {
    listener
        .local_addr()
        .unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// Whoever waits for the file never reads half of it.
async fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    tokio::fs::write(&part, text).await?;
    tokio::fs::rename(&part, path).await
}
