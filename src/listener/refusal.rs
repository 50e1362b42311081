//! Why a request is refused before anything looks at what it asks for.

use http::StatusCode;

/// A refusal: its code goes into the record and, with status and detail, into the problem body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name, `snake_case`.
    pub code: &'static str,
    /// The status to answer with.
    pub status: StatusCode,
    /// One sentence without values of the request.
    pub detail: &'static str,
}

impl Refusal {
    /// A refusal with status 400.
    pub(crate) const fn bad(code: &'static str, detail: &'static str) -> Self {
        Self { code, status: StatusCode::BAD_REQUEST, detail }
    }

    /// A refusal with another status.
    pub(crate) const fn with(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        Self { code, status, detail }
    }
}

/// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.1).
pub(crate) const LENGTH_AND_CODING: Refusal =
    Refusal::bad("length_and_coding", "the request has both a content length and a transfer coding");
/// More than one `Content-Length`, equal or not.
pub(crate) const SEVERAL_LENGTHS: Refusal =
    Refusal::bad("several_lengths", "the request has more than one content length");
/// A `Content-Length` that is not digits, or too large.
pub(crate) const BAD_LENGTH: Refusal = Refusal::bad("bad_length", "the content length is not a number of bytes");
/// A transfer coding other than one `chunked`.
pub(crate) const TRANSFER_CODING: Refusal =
    Refusal::bad("transfer_coding", "the only transfer coding accepted is `chunked`, once");
/// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 §6.1).
pub(crate) const CODING_IN_1_0: Refusal = Refusal::bad("coding_in_http_1_0", "HTTP/1.0 has no transfer codings");
/// A folded field line (RFC 9112 §5.2).
pub(crate) const OBS_FOLD: Refusal = Refusal::bad("obs_fold", "a header field is folded over several lines");
/// A CR that no LF follows.
pub(crate) const BARE_CR: Refusal = Refusal::bad("bare_cr", "a carriage return is not followed by a line feed");
/// A LF that no CR precedes.
pub(crate) const BARE_LF: Refusal = Refusal::bad("bare_lf", "a line feed is not preceded by a carriage return");
/// White space between a field name and its colon (RFC 9112 §5.1).
pub(crate) const SPACE_BEFORE_COLON: Refusal =
    Refusal::bad("space_before_colon", "white space stands before the colon of a header field");
/// A field line without a name, a colon, or with other bytes than a token in its name.
pub(crate) const BAD_FIELD_NAME: Refusal = Refusal::bad("bad_field_name", "a header field has no valid name");
/// A control character in a field value.
pub(crate) const BAD_FIELD_VALUE: Refusal =
    Refusal::bad("bad_field_value", "a header field value has a control character");
/// The first line is not `method SP target SP version`.
pub(crate) const BAD_REQUEST_LINE: Refusal = Refusal::bad("bad_request_line", "the request line is malformed");
/// An empty line before the request line.
pub(crate) const EMPTY_LINE: Refusal = Refusal::bad("empty_line", "an empty line stands before the request line");
/// A target that is not a valid origin or absolute form.
pub(crate) const BAD_TARGET: Refusal = Refusal::bad("bad_target", "the request target is not a path or an https URL");
/// `Host` is missing (RFC 9112 §3.2), or `:authority` in HTTP/2.
pub(crate) const MISSING_HOST: Refusal = Refusal::bad("missing_host", "the request names no host");
/// `Host` is given more than once.
pub(crate) const SEVERAL_HOSTS: Refusal = Refusal::bad("several_hosts", "the request names more than one host");
/// `Host` is not a host with an optional port.
pub(crate) const BAD_HOST: Refusal = Refusal::bad("bad_host", "the host is malformed");
/// Absolute form or `:authority` and `Host` name different hosts.
pub(crate) const HOST_DISAGREES: Refusal =
    Refusal::bad("host_disagrees", "the request target and the host header name different hosts");
/// A connection-specific header in HTTP/2 (RFC 9113 §8.2.2).
pub(crate) const CONNECTION_HEADER: Refusal =
    Refusal::bad("connection_header", "HTTP/2 has no connection-specific header fields");
/// An HTTP version other than 1.0 and 1.1.
pub(crate) const BAD_VERSION: Refusal = Refusal::with(
    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    "bad_version",
    "the protocol version is not HTTP/1.1 or HTTP/1.0",
);
/// The request line or the target is too long.
pub(crate) const TARGET_TOO_LONG: Refusal =
    Refusal::with(StatusCode::URI_TOO_LONG, "target_too_long", "the request target is too long");
/// The header section has too many bytes.
pub(crate) const HEADERS_TOO_LARGE: Refusal =
    Refusal::with(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "the header section is too large");
/// The header section has too many fields.
pub(crate) const TOO_MANY_HEADERS: Refusal = Refusal::with(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too_many_headers",
    "the request has too many header fields",
);
/// The header section did not arrive in time.
pub(crate) const HEADER_TIMEOUT: Refusal =
    Refusal::with(StatusCode::REQUEST_TIMEOUT, "header_timeout", "the header section did not arrive in time");
/// `CONNECT` or `TRACE`.
pub(crate) const METHOD_REFUSED: Refusal =
    Refusal::with(StatusCode::METHOD_NOT_ALLOWED, "method_refused", "this method is not served");
/// An `Upgrade` header.
pub(crate) const UPGRADE_REFUSED: Refusal =
    Refusal::with(StatusCode::NOT_IMPLEMENTED, "upgrade_refused", "switching protocols is not served");
/// An `Expect` other than `100-continue`.
pub(crate) const EXPECTATION_REFUSED: Refusal =
    Refusal::with(StatusCode::EXPECTATION_FAILED, "expectation_refused", "the expectation cannot be met");
