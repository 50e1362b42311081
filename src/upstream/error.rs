//! Why the CRM did not answer, or not to the end.

/// What failed between the gateway and the CRM. No variant carries a value of a request or a response.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum UpstreamError {
    /// The host name has no address.
    #[error("the host name of the upstream cannot be resolved")]
    Resolve,
    /// No address accepts connections.
    #[error("the upstream does not accept connections")]
    Connect,
    /// TLS failed: certificate, name or protocol.
    #[error("the TLS handshake with the upstream failed")]
    Tls,
    /// Connecting, resolving and TLS together took too long.
    #[error("connecting to the upstream took too long")]
    ConnectTimeout,
    /// The response head did not come in time.
    #[error("the upstream did not answer in time")]
    ResponseTimeout,
    /// The response body paused for too long.
    #[error("the response body of the upstream did not arrive in time")]
    BodyTimeout,
    /// Every connection is in use, for as long as a request may wait.
    #[error("every connection to the upstream is in use")]
    Busy,
    /// The connection broke before the response head was complete; the request may have been processed.
    #[error("the upstream closed the connection before it answered")]
    Closed,
    /// The response breaks HTTP, or switches protocols.
    #[error("the upstream's response is not valid HTTP")]
    Protocol,
    /// The response body ends before its end.
    #[error("the upstream's response body is incomplete")]
    Truncated,
    /// The request body failed: the caller went away, or its body was refused.
    #[error("the request body could not be sent to its end")]
    RequestBody,
}

impl UpstreamError {
    /// Stable name for records, metrics and problem bodies.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Resolve => "upstream_resolve",
            Self::Connect => "upstream_connect",
            Self::Tls => "upstream_tls",
            Self::ConnectTimeout => "upstream_connect_timeout",
            Self::ResponseTimeout => "upstream_timeout",
            Self::BodyTimeout => "upstream_body_timeout",
            Self::Busy => "upstream_busy",
            Self::Closed => "upstream_closed",
            Self::Protocol => "upstream_protocol",
            Self::Truncated => "upstream_truncated",
            Self::RequestBody => "request_body",
        }
    }

    /// Whether 504 describes it better than 502.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::ResponseTimeout | Self::BodyTimeout)
    }

    /// Whether the gateway itself is full: 503 with `Retry-After`.
    #[must_use]
    pub fn is_overload(self) -> bool {
        self == Self::Busy
    }

    /// Whether the CRM cannot have seen the request.
    #[must_use]
    pub fn is_unsent(self) -> bool {
        matches!(self, Self::Resolve | Self::Connect | Self::Tls | Self::ConnectTimeout | Self::Busy)
    }
}
