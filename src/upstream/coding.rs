//! Which content codings the CRM may use: those that the caller accepts and that can be decoded here.

use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

/// The `Accept-Encoding` for the CRM (RFC 9110 §12.5.3). Absent or unusable becomes `identity`, never a wildcard.
pub(crate) fn acceptable(headers: &HeaderMap) -> HeaderValue {
    let mut accepted = [false; CODINGS.len()];
    let mut refused = [false; CODINGS.len()];
    let mut any = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        // A value that is not ASCII names nothing that could be decoded.
        for item in value.to_str().unwrap_or_default().split(',') {
            let (coding, weight) = item.split_once(';').map_or((item, ""), |(coding, weight)| (coding, weight));
            let (coding, wanted) = (coding.trim(), !is_zero(weight));
            if coding == "*" {
                any |= wanted;
            }
            for (index, (name, alias)) in CODINGS.iter().enumerate() {
                if coding.eq_ignore_ascii_case(name) || coding.eq_ignore_ascii_case(alias) {
                    let set = if wanted { &mut accepted } else { &mut refused };
                    if let Some(slot) = set.get_mut(index) {
                        *slot = true;
                    }
                }
            }
        }
    }
    let choice =
        accepted.iter().zip(refused).enumerate().fold(0, |choice, (index, (accepted, refused))| {
            choice | usize::from((*accepted || any) && !refused) << index
        });
    HeaderValue::from_static(LISTS.get(choice).copied().unwrap_or("identity"))
}

/// Whether a weight is `q=0`, in any of its spellings.
fn is_zero(weight: &str) -> bool {
    let weight = weight.trim();
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
    value.is_some_and(|value| value.trim().parse::<f32>().is_ok_and(|weight| weight == 0.0))
}

/// Codings decoded here, with their other names.
const CODINGS: [(&str, &str); 4] = [("gzip", "x-gzip"), ("deflate", "deflate"), ("br", "br"), ("zstd", "zstd")];

/// The lists for every choice among [`CODINGS`]; bit n is coding n.
const LISTS: [&str; 16] = [
    "identity",
    "gzip",
    "deflate",
    "gzip, deflate",
    "br",
    "gzip, br",
    "deflate, br",
    "gzip, deflate, br",
    "zstd",
    "gzip, zstd",
    "deflate, zstd",
    "gzip, deflate, zstd",
    "br, zstd",
    "gzip, br, zstd",
    "deflate, br, zstd",
    "gzip, deflate, br, zstd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crm_may_use_what_both_sides_understand() {
        for (asked, expected) in [
            (&[][..], "identity"),
            (&[""], "identity"),
            (&["identity"], "identity"),
            (&["gzip"], "gzip"),
            (&["x-gzip"], "gzip"),
            (&["GZIP, sdch"], "gzip"),
            (&["gzip, deflate, br, zstd"], "gzip, deflate, br, zstd"),
            (&["zstd;q=0.5, br ; q=1.0, compress"], "br, zstd"),
            (&["gzip;q=0, br"], "br"),
            (&["gzip;q=0.000"], "identity"),
            (&["gzip", "br"], "gzip, br"),
            (&["*"], "gzip, deflate, br, zstd"),
            (&["*, gzip;q=0"], "deflate, br, zstd"),
            (&["*;q=0"], "identity"),
            (&["lzma, dcb, dcz"], "identity"),
        ] {
            let mut headers = HeaderMap::new();
            for value in asked {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(acceptable(&headers), expected, "{asked:?}");
        }
    }
}
