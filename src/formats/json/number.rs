//! Numbers: their spelling is checked and kept, never their value.

/// One past the last byte from `at` on that a number can have.
#[inline]
pub(super) fn end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = bytes.get(at) {
        at += 1;
    }
    at
}

/// RFC 8259 §6: `[ minus ] int [ frac ] [ exp ]`.
#[inline]
pub(super) fn is_valid(token: &[u8]) -> bool {
    let rest = token.strip_prefix(b"-").unwrap_or(token);
    let rest = match rest {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => digits(rest),
        _ => return false,
    };
    let rest = match rest {
        [b'.', b'0'..=b'9', rest @ ..] => digits(rest),
        rest => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', rest @ ..] | [b'e' | b'E', b'0'..=b'9', rest @ ..] => {
            digits(rest).is_empty()
        }
        _ => false,
    }
}

fn digits(mut bytes: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_and_nothing_else() {
        for valid in ["0", "-0", "10", "1234567890123456789", "1e400", "1E+2", "-1.50e-07", "0.0"] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        for invalid in
            ["", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e", "1e+", "1-2", "0x1", "1.2.3", "1e1.5", "--1"]
        {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
