//! The sample API through real TLS connections.
