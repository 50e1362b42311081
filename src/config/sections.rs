//! The sections that belong to the gateway itself, with their defaults.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{listener, model::Problem, tls};

/// A number of bytes.
pub type Bytes = usize;

/// A time in seconds: 1 to 604800.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u32);

impl Seconds {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0.max(1)))
    }
}

/// `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// The node's name in records and in the `Fieldgate-Audit-Ref` header. Default `gw-1`.
    #[serde(default = "default_name")]
    pub name: String,
    /// Separates derived keys of tenants that share a root key. Default `default`.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// The root key's file; made by `fieldgate init`. Mode 0600.
    pub root_key: PathBuf,
    /// The country (ISO 3166-1 alpha-2) whose national telephone numbers are meant where values are compared. Default: none,
    /// and numbers without a country code are compared by their digits.
    #[serde(default)]
    pub region: Option<String>,
    /// Worker threads; `0` (default) is one per core.
    #[serde(default)]
    pub workers: usize,
    /// Networks (CIDR) whose `Forwarded` and `X-Forwarded-*` headers are believed. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
}

fn default_name() -> String {
    "gw-1".to_owned()
}

fn default_tenant() -> String {
    "default".to_owned()
}

impl GatewaySettings {
    /// The values that cannot be used.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let known = |region: &str| region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase());
        if self.region.as_deref().is_none_or(known) {
            return Vec::new();
        }
        vec![Problem::new("gateway.region", "not a country code", "write two capital letters, such as `US`")]
    }
}

/// `[[listener]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerSettings {
    /// Its name in records and metrics.
    pub name: String,
    /// Address and port to listen on.
    pub address: SocketAddr,
    /// The origin callers use: links of the CRM are rewritten to it.
    pub public_url: String,
    /// The name of the upstream behind it.
    pub upstream: String,
    /// `[listener.tls]`: certificates, client authentication, TLS versions.
    pub tls: tls::ServerSettings,
    /// `[listener.limits]`: connections, headers, HTTP/2 streams, and times of a connection.
    #[serde(default)]
    pub limits: listener::LimitSettings,
}

/// `[limits]`: every bound on what one caller, one body or everybody together can take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Exchanges under way in all; past it: 503 with `Retry-After`.
    pub exchanges: usize,
    /// A request body that has to be read before it is forwarded (protected fields), in bytes.
    pub guarded_body_bytes: Bytes,
    /// A batch, and the CRM's answer to one after decoding, in bytes: both are held whole.
    pub batch_body_bytes: Bytes,
    /// A request body that is streamed through, in bytes.
    pub request_body_bytes: u64,
    /// A response body after decoding, in bytes.
    pub response_body_bytes: u64,
    /// How many times larger a decoded body may be than it came (past the first 1 MiB).
    pub expansion: u64,
    /// Response bytes that wait for one record; also the memory of one exchange.
    pub window_bytes: Bytes,
    /// A text error body that is scanned, in bytes; a longer one is withheld.
    pub error_text_bytes: Bytes,
    /// JSON nesting.
    pub json_depth: usize,
    /// One protected JSON value, in bytes.
    pub value_bytes: Bytes,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            exchanges: 4_096,
            guarded_body_bytes: 8 * 1024 * 1024,
            batch_body_bytes: 16 * 1024 * 1024,
            request_body_bytes: 1024 * 1024 * 1024,
            response_body_bytes: 16 * 1024 * 1024 * 1024,
            expansion: 200,
            window_bytes: 1024 * 1024,
            error_text_bytes: 64 * 1024,
            json_depth: 128,
            value_bytes: 1024 * 1024,
        }
    }
}

impl LimitSettings {
    /// The values that are out of range.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let wide = |bytes: usize| bytes as u64;
        outside(
            "limits",
            &[
                ("exchanges", wide(self.exchanges), 1, 1 << 20),
                ("guarded_body_bytes", wide(self.guarded_body_bytes), 1_024, 1 << 30),
                ("batch_body_bytes", wide(self.batch_body_bytes), 1_024, 1 << 30),
                ("request_body_bytes", self.request_body_bytes, 1, 1 << 50),
                ("response_body_bytes", self.response_body_bytes, 1_024, 1 << 50),
                ("expansion", self.expansion, 1, 100_000),
                ("window_bytes", wide(self.window_bytes), 4_096, 1 << 30),
                ("error_text_bytes", wide(self.error_text_bytes), 0, 16 << 20),
                ("json_depth", wide(self.json_depth), 8, 1_024),
                ("value_bytes", wide(self.value_bytes), 1_024, 1 << 30),
            ],
        )
    }
}

fn outside(section: &str, ranges: &[(&str, u64, u64, u64)]) -> Vec<Problem> {
    let outside = ranges.iter().filter(|(_, value, low, high)| !(low..=high).contains(&value));
    let problem = |(key, value, low, high): &(&str, u64, u64, u64)| {
        let what = format!("`{key}` is {value}, which is out of range");
        Problem::new(format!("{section}.{key}"), what, format!("choose a number from {low} to {high}"))
    };
    outside.map(problem).collect()
}

/// A week: a time past it is a slip of the keyboard.
const MAX_SECONDS: u64 = 604_800;

/// `[timeouts]`, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutSettings {
    /// The gap between two chunks of a body, in either direction.
    pub body: Seconds,
    /// A whole exchange.
    pub total: Seconds,
    /// The wait for a record to be durable; past it: 503.
    pub audit: Seconds,
    /// What is under way at SIGTERM.
    pub drain: Seconds,
}

impl TimeoutSettings {
    /// The values that are out of range.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let times = [("body", self.body), ("total", self.total), ("audit", self.audit), ("drain", self.drain)];
        outside("timeouts", &times.map(|(key, seconds)| (key, u64::from(seconds.0), 1, MAX_SECONDS)))
    }
}

impl AdminSettings {
    /// Health and metrics carry no authentication, so they stay on this machine.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        if self.address.ip().to_canonical().is_loopback() {
            return Vec::new();
        }
        let what = format!("{} is not a loopback address", self.address.ip());
        vec![Problem::new(
            "admin.address",
            what,
            "listen on `127.0.0.1` or `[::1]`: nobody is asked who they are there",
        )]
    }
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self { body: Seconds(30), total: Seconds(3600), audit: Seconds(2), drain: Seconds(20) }
    }
}

/// `[admin]`: health and metrics, plain HTTP, loopback only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// A loopback address and port.
    pub address: SocketAddr,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

/// How log events are written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `[log]`: diagnostics on standard error (not the access log).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// `error`, `warn`, `info` (default), `debug` or `trace`; or directives such as `fieldgate::upstream=debug`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert!(LimitSettings::default().problems().is_empty());
        assert!(TimeoutSettings::default().problems().is_empty());
        assert!(AdminSettings::default().problems().is_empty());
    }

    #[test]
    fn each_bound_holds_at_its_limit_and_not_one_past_it() {
        let window = |window_bytes| LimitSettings { window_bytes, ..LimitSettings::default() }.problems();
        assert!(window(4_096).is_empty() && window(1 << 30).is_empty());
        assert_eq!(window(4_095)[0].path, "limits.window_bytes");
        assert_eq!(window((1 << 30) + 1).len(), 1);
        let total = |seconds| TimeoutSettings { total: Seconds(seconds), ..TimeoutSettings::default() }.problems();
        assert!(total(1).is_empty() && total(604_800).is_empty());
        assert!(total(0)[0].path == "timeouts.total" && total(604_801).len() == 1);
    }

    #[test]
    fn the_admin_listener_stays_on_this_machine() {
        let admin = |address: &str| AdminSettings { address: address.parse().unwrap() }.problems();
        assert!(
            admin("127.0.0.2:1").is_empty() && admin("[::1]:1").is_empty() && admin("[::ffff:127.0.0.1]:1").is_empty()
        );
        for address in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464"] {
            assert_eq!(admin(address)[0].path, "admin.address", "{address}");
        }
    }
}
