//! Request headers in; the one credential and the human named beside it out. Looks at no signature and no table.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::IdentityError;

/// Headers that only the gateway reads; they must not reach the CRM.
#[must_use]
pub fn own_headers() -> &'static [HeaderName] {
    &OWN
}

/// What the headers offer as proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// A JWT, not yet looked at.
    Token(&'a str),
    /// An API key.
    Key(&'a str),
    /// An `Authorization` of another scheme: not for the gateway.
    Foreign,
    /// Nothing.
    None,
}

/// The identity part of a request's headers.
pub(super) struct Offered<'a> {
    /// The proof.
    pub(super) credential: Credential<'a>,
    /// `Fieldgate-On-Behalf-Of`.
    pub(super) on_behalf_of: Option<&'a str>,
}

impl<'a> Offered<'a> {
    /// Reads `headers`.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, IdentityError> {
        let authorization = match single(headers, &header::AUTHORIZATION)? {
            Some(value) => authorization(value)?,
            None => Credential::None,
        };
        let credential = match (single(headers, &KEY)?, authorization) {
            (None, credential) => credential,
            // Another scheme is the caller's own proof for the CRM; the key says who calls the gateway.
            (Some(value), Credential::None | Credential::Foreign) => Credential::Key(token68(value.as_bytes())?),
            (Some(_), Credential::Token(_) | Credential::Key(_)) => return Err(IdentityError::Several),
        };
        let on_behalf_of = match single(headers, &ON_BEHALF_OF).map_err(|_| IdentityError::WrongHuman)? {
            Some(value) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| IdentityError::WrongHuman)?),
            None => None,
        };
        Ok(Self { credential, on_behalf_of })
    }
}

/// `Bearer` and at least one space (RFC 6750 §2.1), the scheme in any case (RFC 9110 §11.1).
fn authorization(value: &HeaderValue) -> Result<Credential<'_>, IdentityError> {
    let bytes = value.as_bytes();
    let (scheme, rest) = match bytes.iter().position(|byte| *byte == b' ') {
        Some(at) => bytes.split_at(at),
        None => (bytes, &[][..]),
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(Credential::Foreign);
    }
    let text = token68(rest.trim_ascii())?;
    Ok(if text.starts_with(KEY_PREFIX) { Credential::Key(text) } else { Credential::Token(text) })
}

/// The characters of a `token68` (RFC 9110 §11.2); JWTs and our keys use a subset of them.
fn token68(bytes: &[u8]) -> Result<&str, IdentityError> {
    if bytes.len() > MAX_CREDENTIAL_BYTES {
        return Err(IdentityError::TooLong);
    }
    let fits = |byte: u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    // Without an early end the compiler checks 16 bytes at a time; this runs for every request.
    if bytes.is_empty() || !bytes.iter().fold(true, |all, byte| all & fits(*byte)) {
        return Err(IdentityError::Malformed);
    }
    std::str::from_utf8(bytes).map_err(|_| IdentityError::Malformed)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, IdentityError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(IdentityError::Several) } else { Ok(first) }
}

/// A token or key at most, in bytes.
pub(super) const MAX_CREDENTIAL_BYTES: usize = 16 * 1024;

/// What every API key starts with.
pub(super) const KEY_PREFIX: &str = "fg_";

static KEY: HeaderName = HeaderName::from_static("fieldgate-key");
static ON_BEHALF_OF: HeaderName = HeaderName::from_static("fieldgate-on-behalf-of");
static OWN: [HeaderName; 2] =
    [HeaderName::from_static("fieldgate-key"), HeaderName::from_static("fieldgate-on-behalf-of")];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<(&'static str, usize), IdentityError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Ok(match Offered::read(&headers)?.credential {
            Credential::Token(text) => ("token", text.len()),
            Credential::Key(text) => ("key", text.len()),
            Credential::Foreign => ("foreign", 0),
            Credential::None => ("none", 0),
        })
    }

    #[test]
    fn one_credential_is_found_wherever_it_may_stand() {
        assert_eq!(read(&[]), Ok(("none", 0)));
        assert_eq!(read(&[("authorization", "Bearer a.b.c")]), Ok(("token", 5)));
        assert_eq!(read(&[("authorization", "bEARER   a.b.c")]), Ok(("token", 5)));
        assert_eq!(read(&[("authorization", "Bearer fg_a_b")]), Ok(("key", 6)));
        assert_eq!(read(&[("fieldgate-key", "fg_a_b")]), Ok(("key", 6)));
        assert_eq!(read(&[("authorization", "token 1-14-x")]), Ok(("foreign", 0)));
        assert_eq!(read(&[("authorization", "token 1-14-x"), ("fieldgate-key", "fg_a_b")]), Ok(("key", 6)));
    }

    #[test]
    fn two_credentials_are_refused() {
        let bearer = ("authorization", "Bearer a.b.c");
        assert_eq!(read(&[bearer, bearer]), Err(IdentityError::Several));
        assert_eq!(read(&[bearer, ("authorization", "Basic eDp5")]), Err(IdentityError::Several));
        assert_eq!(read(&[bearer, ("fieldgate-key", "fg_a_b")]), Err(IdentityError::Several));
        assert_eq!(read(&[("fieldgate-key", "fg_a_b"), ("fieldgate-key", "fg_a_b")]), Err(IdentityError::Several));
        assert_eq!(
            read(&[("fieldgate-on-behalf-of", "a"), ("fieldgate-on-behalf-of", "b")]),
            Err(IdentityError::WrongHuman)
        );
    }

    #[test]
    fn odd_characters_are_refused() {
        for text in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer a\tb"] {
            assert_eq!(read(&[("authorization", text)]), Err(IdentityError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_credential_has_a_length_limit() {
        let bearer = |count: usize| read(&[("authorization", &format!("Bearer {}", "a".repeat(count)))]);
        assert_eq!(bearer(MAX_CREDENTIAL_BYTES), Ok(("token", MAX_CREDENTIAL_BYTES)));
        assert_eq!(bearer(MAX_CREDENTIAL_BYTES + 1), Err(IdentityError::TooLong));
    }
}
