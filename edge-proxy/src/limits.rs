//! Every bound of the door that is not a method's own.

use std::time::Duration;

/// Bounds. [`Limits::default`] is what the binary uses; tests shorten the times.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once over one listener; each costs about 20 KiB when idle. More wait in the backlog of the socket.
    pub connections: usize,
    /// Requests in work at once. More are refused with a time to come back: the services behind take no more either.
    pub requests: usize,
    /// Streamed answers at once, beside the requests in work: below the 1,000 that one connection to a service carries, for a package may
    /// have a single address.
    pub streams: usize,
    /// Streamed answers at once of one account: some tabs and devices.
    pub streams_per_account: usize,
    /// Pause after which a quiet stream says that it lives; half of the 30 s after which many proxies close a quiet connection.
    pub keep_alive: Duration,
    /// Bytes of request bodies in memory at once over all requests, so that large uploads cannot add up to the whole memory.
    pub body_bytes: usize,
    /// Time for the head of a request, also the longest pause between two requests of one HTTP/1 connection, and the time a new connection
    /// has for its first request.
    pub head: Duration,
    /// Longest pause between two pieces of a body.
    pub body_pause: Duration,
    /// Time for a whole body: 32 MiB at 5 Mbit/s take 54 s.
    pub body: Duration,
    /// A connection older than this is told to end after its present requests, so that new instances get their share.
    pub connection_age: Duration,
    /// Time that a connection told to end has for its last requests: streams may last ten minutes, and a client that does not read would
    /// stay for ever.
    pub farewell: Duration,
    /// Time for requests in work when the process stops. hyper alone would wait for idle clients for ever.
    pub drain: Duration,
    /// Pause between two looks at the services behind.
    pub probe: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            requests: 2_000,
            streams: 900,
            streams_per_account: 10,
            keep_alive: Duration::from_secs(15),
            body_bytes: 256 * 1024 * 1024,
            head: Duration::from_secs(10),
            body_pause: Duration::from_secs(10),
            body: Duration::from_secs(60),
            connection_age: Duration::from_secs(600),
            farewell: Duration::from_secs(660),
            drain: Duration::from_secs(15),
            probe: Duration::from_secs(1),
        }
    }
}
