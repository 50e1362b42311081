//! Numbers: their spelling is checked and kept, never their value.

/// One past the last byte from `at` on that a number can have.
#[inline]
pub(super) fn end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = bytes.get(at) {
        at += 1;
    }
    at
}

/// One past the number at `at`, when it is valid, has no exponent and more bytes follow it. `None` decides nothing.
#[inline]
pub(super) fn whole(bytes: &[u8], at: usize) -> Option<usize> {
    let int = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut at = digits_end(bytes, int);
    if at == int || at > int + 1 && bytes.get(int) == Some(&b'0') {
        return None;
    }
    if bytes.get(at) == Some(&b'.') {
        let frac = at + 1;
        at = digits_end(bytes, frac);
        if at == frac {
            return None;
        }
    }
    match bytes.get(at)? {
        b'-' | b'+' | b'.' | b'e' | b'E' => None,
        _ => Some(at),
    }
}

/// One past the digits from `at` on, eight at a time.
#[inline]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word) ^ (ONES * 0x30);
        // The high bit of each byte that is no digit; exact up to the lowest, a carry may spoil those above it.
        let other = (word.wrapping_add(ONES * 0x76) | word) & (ONES << 7);
        if other != 0 {
            return at + other.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(b'0'..=b'9') = bytes.get(at) {
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
            let end = whole(format!("{valid},").as_bytes(), 0);
            assert!(end == Some(valid.len()) || valid.contains(['e', 'E']), "{valid}");
        }
        for invalid in
            ["", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e", "1e+", "1-2", "0x1", "1.2.3", "1e1.5", "--1"]
        {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
            let end = whole(format!("{invalid},").as_bytes(), 0);
            assert!(end.is_none_or(|end| invalid.as_bytes().get(end) == Some(&b'x')), "{invalid}");
        }
        assert_eq!(whole(b"12", 0), None, "more may follow");
    }

    #[test]
    fn digits_end_at_any_byte_that_is_none() {
        for byte in 0..=255_u8 {
            for place in 0..20 {
                let mut text = [b'9'; 24];
                text[place] = byte;
                let expected = if byte.is_ascii_digit() { 24 } else { place };
                assert_eq!(digits_end(&text, 0), expected, "byte {byte:#x} at {place}");
            }
        }
    }
}
