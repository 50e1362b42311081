//! E-mail addresses as people write them: dot-atoms and quoted local parts (RFC 5321 §4.1.2), letters of any script
//! (RFC 6531), domains with a dot, address literals, and `%40` for `@` as it stands in URLs.

use super::{Spot, at, fold::LETTER};
use crate::model::Entity;

/// The address whose `@` is at `sign`, `width` bytes wide.
pub(super) fn around(bytes: &[u8], sign: usize, width: usize) -> Option<Spot> {
    let start = local(bytes, sign)?;
    let end = domain(bytes, sign + width)?;
    Some(Spot { start, end, entity: Entity::Email, score: 95 })
}

/// The address whose `@` is spelled `(at)` or `[at]`, at `sign`; its dots may be spelled `(dot)` or ` dot `.
pub(super) fn spelled(bytes: &[u8], sign: usize) -> Option<Spot> {
    let rest = bytes.get(sign..)?;
    let width = AT_SIGNS.iter().find(|spelling| starts(rest, spelling))?.len();
    let gap = |byte: u8| usize::from(byte == b' ');
    let before = sign - gap(at(bytes, sign.wrapping_sub(1)));
    let start = local(bytes, before)?;
    let after = sign + width + gap(at(bytes, sign + width));
    let mut end = after;
    let mut dots = 0;
    loop {
        let label =
            bytes.get(end..)?.iter().take(MAX_LABEL_BYTES).take_while(|byte| is_word(**byte) || **byte == b'-').count();
        if label == 0 {
            return None;
        }
        end += label;
        let rest = bytes.get(end..)?;
        let Some(dot) = DOTS.iter().find(|spelling| starts(rest, spelling)) else { break };
        if !is_word(at(bytes, end + dot.len())) || dots == MAX_LABELS {
            break;
        }
        end += dot.len();
        dots += 1;
    }
    (dots > 0).then_some(Spot { start, end, entity: Entity::Email, score: 88 })
}

/// Whether there is a `(at)`.
pub(super) fn has_spelled_sign(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b'(', b'[', bytes)
        .any(|sign| AT_SIGNS.iter().any(|spelling| bytes.get(sign..).is_some_and(|rest| starts(rest, spelling))))
}

fn starts(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

/// Where the local part that ends at `sign` starts.
fn local(bytes: &[u8], sign: usize) -> Option<usize> {
    let before = bytes.get(sign.saturating_sub(MAX_LOCAL_BYTES)..sign)?;
    if let Some((b'"', inside)) = before.split_last() {
        let quote = inside.iter().rposition(|byte| *byte == b'"')?;
        return (quote + 1 < inside.len()).then(|| sign - before.len() + quote);
    }
    let length = before.iter().rev().take_while(|byte| in_local(**byte)).count();
    let atom = before.get(before.len() - length..)?;
    // Punctuation around an address is not part of it.
    let leading = atom.iter().take_while(|byte| !is_word(**byte) && **byte != b'+' && **byte != b'_').count();
    (leading < atom.len()).then(|| sign - length + leading)
}

/// Where the domain that starts at `start` ends.
fn domain(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..bytes.len().min(start + MAX_DOMAIN_BYTES))?;
    if let Some((b'[', literal)) = rest.split_first() {
        let inside = literal.iter().take_while(|byte| byte.is_ascii_hexdigit() || b":.IPv".contains(byte)).count();
        return (inside >= 3 && at(literal, inside) == b']').then_some(start + inside + 2);
    }
    let length = rest.iter().take_while(|byte| is_word(**byte) || b".-_".contains(byte)).count();
    let mut name = rest.get(..length)?;
    while let Some((b'.' | b'-' | b'_', shorter)) = name.split_last() {
        name = shorter;
    }
    // What follows two dots is the next sentence.
    if let Some(dots) = name.windows(2).position(|pair| pair == b"..") {
        name = name.get(..dots)?;
    }
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let top = name.get(dot + 1..)?;
    let named = top.iter().any(|byte| byte.is_ascii_alphabetic() || *byte == LETTER);
    // `package@1.2.3` is a version.
    let machine = || name.split(|byte| *byte == b'.').filter(|octet| (1..=3).contains(&octet.len())).count() == 4;
    (dot > 0 && at(name, 0) != b'.' && (named || machine())).then_some(start + name.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// RFC 5322 `atext` without `=`, `/`, `?`, `{`, `|`, `}`, `^` and the back quote: next to an address these are what it
/// was written into (`?to=jane@…`, `|jane@…|`).
fn in_local(byte: u8) -> bool {
    is_word(byte) || b".!#$%&'*+-_~".contains(&byte)
}

/// Twice the 64 octets of RFC 5321 §4.5.3.1.1, and room for letters of other scripts.
const MAX_LOCAL_BYTES: usize = 256;
/// RFC 5321 §4.5.3.1.2.
const MAX_DOMAIN_BYTES: usize = 255;

const MAX_LABEL_BYTES: usize = 63;
const MAX_LABELS: usize = 8;
const AT_SIGNS: [&[u8]; 4] = [b"(at)", b"[at]", b"(@)", b"[@]"];
const DOTS: [&[u8]; 6] = [b".", b"(dot)", b"[dot]", b" (dot) ", b" [dot] ", b" dot "];

#[cfg(test)]
mod tests {
    use crate::detect::tests::found;
    use crate::model::Entity::Email;

    #[test]
    fn addresses_are_found_as_people_write_them() {
        for address in [
            "jane@example.com",
            "Jane.O'Neil+crm@mail.example.co.uk",
            "j@x.io",
            "jürgen@münchen.de",
            "ivan@почта.рф",
            "\"jane doe\"@example.com",
            "jane@[192.0.2.1]",
            "jane%40example.com",
            "jane＠example.com",
            "jane@xn--p1ai.xn--p1ai",
            "_x@example.com",
            "jane@192.0.2.1",
            "ja\u{200b}ne@exam\u{200b}ple.com",
        ] {
            assert_eq!(found(&format!("write to <{address}>, please")), [(Email, address)], "{address}");
            assert_eq!(found(address), [(Email, address)], "{address}");
        }
    }

    #[test]
    fn what_surrounds_an_address_is_not_part_of_it() {
        assert_eq!(found("mailto:jane@example.com."), [(Email, "jane@example.com")]);
        assert_eq!(found("?email=jane@example.com&x"), [(Email, "jane@example.com")]);
        assert_eq!(found("jane@example.com...bye"), [(Email, "jane@example.com")]);
        assert_eq!(found("'jane@example.com'"), [(Email, "jane@example.com")]);
        assert_eq!(found("a@x.org;b@y.org"), [(Email, "a@x.org"), (Email, "b@y.org")]);
    }

    #[test]
    fn an_at_sign_alone_is_no_address() {
        for text in [
            "@jane",
            "jane@",
            "5 @ 3.20 EUR",
            "@scope/package",
            "jane@home",
            "a @ b.com",
            "x@.com",
            "serde@1.0.219",
            "x@0.3",
            "@",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
