//! The functions that seal, against the vectors of Wycheproof (C2SP, Apache-2.0) and RFC 5297.
