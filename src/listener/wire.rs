//! Counts of a listener, shared by its workers: connections per client address, and what the metrics show.

use std::{
    collections::HashMap,
    fmt::Write,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::Limits;

/// Shards of the per-address table: workers rarely wait for each other.
const SHARDS: usize = 16;

/// The counters of one listener.
#[derive(Debug)]
pub struct Wire {
    listener: Arc<str>,
    active: AtomicU64,
    accepted: AtomicU64,
    over_limit: AtomicU64,
    over_peer_limit: AtomicU64,
    accept_errors: AtomicU64,
    handshake_failures: AtomicU64,
    handshake_timeouts: AtomicU64,
    requests: AtomicU64,
    refusals: AtomicU64,
    peers: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    AcceptError,
    HandshakeFailure,
    HandshakeTimeout,
    Request,
    Refusal,
}

/// Room for one connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    wire: Arc<Wire>,
    peer: IpAddr,
}

impl Wire {
    /// Counters of the listener called `listener`.
    #[must_use]
    pub fn new(listener: Arc<str>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            listener,
            active: zero(),
            accepted: zero(),
            over_limit: zero(),
            over_peer_limit: zero(),
            accept_errors: zero(),
            handshake_failures: zero(),
            handshake_timeouts: zero(),
            requests: zero(),
            refusals: zero(),
            peers: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Connections open now, over all workers.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.active.load(Relaxed)
    }

    /// Takes room for a connection from `address`, if the limits leave any.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Slot> {
        let peer = network(address);
        if self.active.fetch_add(1, Relaxed) >= limits.connections {
            self.active.fetch_sub(1, Relaxed);
            self.over_limit.fetch_add(1, Relaxed);
            return None;
        }
        let admitted = self.with_peer(peer, |count| {
            let admitted = *count < limits.connections_per_peer;
            *count += u32::from(admitted);
            admitted
        });
        if !admitted {
            self.active.fetch_sub(1, Relaxed);
            self.over_peer_limit.fetch_add(1, Relaxed);
            return None;
        }
        self.accepted.fetch_add(1, Relaxed);
        Some(Slot { wire: Arc::clone(self), peer })
    }

    pub(crate) fn count(&self, what: Count) {
        let counter = match what {
            Count::AcceptError => &self.accept_errors,
            Count::HandshakeFailure => &self.handshake_failures,
            Count::HandshakeTimeout => &self.handshake_timeouts,
            Count::Request => &self.requests,
            Count::Refusal => &self.refusals,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Appends the counters in the Prometheus text format (0.0.4).
    pub fn write_prometheus(&self, out: &mut String) {
        Self::write_all(&[self], out);
    }

    /// Appends the counters of several listeners: each family has its `HELP` and `TYPE` once.
    pub fn write_all(wires: &[&Self], out: &mut String) {
        type Read = fn(&Wire) -> &AtomicU64;
        let families: [(&str, &str, &str, Read); 9] = [
            ("connections_active", "gauge", "Connections open now.", |wire| &wire.active),
            ("connections_total", "counter", "Connections admitted.", |wire| &wire.accepted),
            ("connections_over_limit_total", "counter", "Connections closed: listener full.", |wire| &wire.over_limit),
            ("connections_over_peer_limit_total", "counter", "Connections closed: address has too many.", |wire| {
                &wire.over_peer_limit
            }),
            ("accept_errors_total", "counter", "Errors of accept.", |wire| &wire.accept_errors),
            ("tls_handshake_failures_total", "counter", "TLS handshakes that failed.", |wire| &wire.handshake_failures),
            ("tls_handshake_timeouts_total", "counter", "TLS handshakes that took too long.", |wire| {
                &wire.handshake_timeouts
            }),
            ("requests_total", "counter", "Requests, refused ones included.", |wire| &wire.requests),
            ("requests_refused_total", "counter", "Requests refused for their framing.", |wire| &wire.refusals),
        ];
        for (name, kind, help, read) in families {
            let _ = writeln!(out, "# HELP fieldgate_listener_{name} {help}\n# TYPE fieldgate_listener_{name} {kind}");
            for wire in wires {
                let value = read(wire).load(Relaxed);
                let _ = writeln!(out, "fieldgate_listener_{name}{{listener=\"{}\"}} {value}", wire.listener);
            }
        }
    }

    fn with_peer<R>(&self, peer: IpAddr, change: impl FnOnce(&mut u32) -> R) -> R {
        let mixed = match peer {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
        };
        let shard = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize;
        let Some(shard) = self.peers.get(shard) else { return change(&mut 0) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let count = shard.entry(peer).or_default();
        let result = change(count);
        if *count == 0 {
            shard.remove(&peer);
        }
        result
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.wire.active.fetch_sub(1, Relaxed);
        self.wire.with_peer(self.peer, |count| *count = count.saturating_sub(1));
    }
}

/// One client: an IPv4 address, or the /64 that an IPv6 host usually owns whole.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::LimitSettings;

    fn limits(connections: u64, connections_per_peer: u32) -> Limits {
        LimitSettings { connections, connections_per_peer, ..LimitSettings::default() }.limits("l").unwrap()
    }

    #[test]
    fn an_address_gets_its_limit_and_not_one_more_and_gets_it_back() {
        let wire = Arc::new(Wire::new("main".into()));
        let limits = limits(10, 2);
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = wire.admit(here, &limits);
        let second = wire.admit(here, &limits);
        assert!(first.is_some() && second.is_some());
        assert!(wire.admit(here, &limits).is_none());
        let other = wire.admit(there, &limits);
        assert!(other.is_some());
        drop(first);
        assert!(wire.admit(here, &limits).is_some());
        drop((second, other));
        assert_eq!(wire.active(), 0);
        assert!(wire.peers.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn a_listener_takes_its_limit_and_not_one_more() {
        let wire = Arc::new(Wire::new("main".into()));
        let limits = limits(2, 100);
        let _first = wire.admit([10, 0, 0, 1].into(), &limits).unwrap();
        let _second = wire.admit([10, 0, 0, 2].into(), &limits).unwrap();
        assert!(wire.admit([10, 0, 0, 3].into(), &limits).is_none());
        assert_eq!(wire.active(), 2);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client_and_a_mapped_address_as_ipv4() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(parse("2001:db8::1")), network(parse("2001:db8::ffff:1")));
        assert_ne!(network(parse("2001:db8:0:1::1")), network(parse("2001:db8:0:2::1")));
        assert_eq!(network(parse("::ffff:10.0.0.1")), parse("10.0.0.1"));
    }

    #[test]
    fn metric_families_are_written_once_for_all_listeners() {
        let (a, b) = (Wire::new("a".into()), Wire::new("b".into()));
        a.count(Count::Refusal);
        let mut out = String::new();
        Wire::write_all(&[&a, &b], &mut out);
        assert_eq!(out.matches("# TYPE fieldgate_listener_requests_refused_total counter").count(), 1);
        assert!(out.contains("fieldgate_listener_requests_refused_total{listener=\"a\"} 1\n"));
        assert!(out.contains("fieldgate_listener_requests_refused_total{listener=\"b\"} 0\n"));
    }
}
