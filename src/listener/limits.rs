//! What one listener grants: counts, sizes and times, each with its default.

use std::time::Duration;

use serde::Deserialize;

use crate::model::Problem;

/// `[listener.limits]`. Every limit has a default; times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Connections of the listener, over all workers. Default 10,000.
    pub connections: u64,
    /// Connections per client address (IPv6: per /64). Default 256.
    pub connections_per_peer: u32,
    /// Bytes of a header section with its request line. Default 32,768.
    pub header_bytes: usize,
    /// Header fields of a request. Default 100.
    pub headers: usize,
    /// Bytes of a request target. Default 8,192.
    pub target_bytes: usize,
    /// Concurrent HTTP/2 streams per connection. Default 128.
    pub h2_streams: u32,
    /// HTTP/2 streams a client may reset before they are answered, and errors it may cause, per connection. Default 64.
    pub h2_resets: usize,
    /// From accept to the end of the TLS handshake. Default 10.
    pub handshake_seconds: u64,
    /// From the first byte of a header section to its last, and from the handshake to the first. Default 15.
    pub header_seconds: u64,
    /// Between requests of a connection. Default 75.
    pub idle_seconds: u64,
    /// Between two reads of a request body, and between two writes to a client that does not read. Default 30.
    pub stall_seconds: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: 256,
            header_bytes: 32_768,
            headers: 100,
            target_bytes: 8_192,
            h2_streams: 128,
            h2_resets: 64,
            handshake_seconds: 10,
            header_seconds: 15,
            idle_seconds: 75,
            stall_seconds: 30,
        }
    }
}

/// Checked limits; swapped whole on reload and read once per connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections of the listener.
    pub connections: u64,
    /// Connections per client address.
    pub connections_per_peer: u32,
    /// Bytes of a header section with its request line.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub headers: usize,
    /// Bytes of a request target.
    pub target_bytes: usize,
    /// Concurrent HTTP/2 streams per connection.
    pub h2_streams: u32,
    /// Early resets and errors per HTTP/2 connection.
    pub h2_resets: usize,
    /// From accept to the end of the handshake.
    pub handshake: Duration,
    /// From the first byte of a header section to its last.
    pub header: Duration,
    /// Between requests.
    pub idle: Duration,
    /// Between two reads of a body or two writes.
    pub stall: Duration,
}

impl LimitSettings {
    /// Checks the settings; `at` is their dotted key (`listener.limits`).
    ///
    /// # Errors
    /// Every value outside its range.
    pub fn limits(&self, at: &str) -> Result<Limits, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut check = |key: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                let what = format!("`{key}` is {value}");
                problems.push(Problem::new(format!("{at}.{key}"), what, format!("use a value from {low} to {high}")));
            }
        };
        check("connections", self.connections, 1, 1_000_000);
        check("connections_per_peer", u64::from(self.connections_per_peer), 1, 1_000_000);
        check("header_bytes", self.header_bytes as u64, 1_024, 1 << 20);
        check("headers", self.headers as u64, 8, 1_000);
        check("target_bytes", self.target_bytes as u64, 64, 60_000);
        check("h2_streams", u64::from(self.h2_streams), 1, 10_000);
        check("h2_resets", self.h2_resets as u64, 1, 10_000);
        for (key, seconds) in [
            ("handshake_seconds", self.handshake_seconds),
            ("header_seconds", self.header_seconds),
            ("idle_seconds", self.idle_seconds),
            ("stall_seconds", self.stall_seconds),
        ] {
            check(key, seconds, 1, 86_400);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Limits {
            connections: self.connections,
            connections_per_peer: self.connections_per_peer,
            header_bytes: self.header_bytes,
            headers: self.headers,
            target_bytes: self.target_bytes,
            h2_streams: self.h2_streams,
            h2_resets: self.h2_resets,
            handshake: Duration::from_secs(self.handshake_seconds),
            header: Duration::from_secs(self.header_seconds),
            idle: Duration::from_secs(self.idle_seconds),
            stall: Duration::from_secs(self.stall_seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges_and_zero_is_not() {
        assert!(LimitSettings::default().limits("listener.limits").is_ok());
        let zero = LimitSettings { idle_seconds: 0, headers: 7, ..LimitSettings::default() };
        let paths: Vec<_> = zero.limits("listener.limits").unwrap_err().into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["listener.limits.headers", "listener.limits.idle_seconds"]);
    }
}
