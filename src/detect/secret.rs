//! Secrets: tokens by the prefix their issuer gives them, private keys, JSON web tokens, and what is assigned to a name
//! such as `password`. The names and prefixes are looked at first; a value counts by its alphabet, length and entropy.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Spot, at, context, fold::LETTER, topics::Topic};
use crate::model::Entity;

/// The secret that the token around the word `start..end` is; and where the token ends. Nothing before `least` is read.
pub(super) fn token(bytes: &[u8], start: usize, least: usize) -> (Option<Spot>, usize) {
    let back = bytes.get(least.min(start)..start).unwrap_or_default();
    let begin = start - back.iter().rev().take_while(|byte| in_token(**byte)).count();
    let rest = bytes.get(start..).unwrap_or_default();
    let end = start + rest.iter().take_while(|byte| in_token(**byte)).count();
    let trailing = bytes.get(begin..end).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'.').count();
    let last = end - trailing;
    let Some(text) = bytes.get(begin..last).filter(|text| text.len() >= LEAST_TOKEN_BYTES) else { return (None, end) };
    let found = |from: usize, score| Some(Spot { start: begin + from, end: last, entity: Entity::Secret, score });
    // What stands in the file of a program is assigned: `key=ghp_…`; a token starts behind the sign.
    if let Some(from) = issued(text) {
        return (found(from, 96), end);
    }
    if is_web_token(text) {
        return (found(0, 96), end);
    }
    let scheme = before(bytes, begin);
    let carried = [&b"bearer"[..], b"basic", b"token", b"apikey"].iter().any(|word| scheme.eq_ignore_ascii_case(word));
    if carried && text.len() >= 20 && is_random(text) {
        return (found(0, 85), end);
    }
    (None, end)
}

/// The value assigned at the `:` or `=` at `sign` to a name that says it is secret.
pub(super) fn assigned(bytes: &[u8], sign: usize) -> Option<Spot> {
    let window = bytes.get(sign.saturating_sub(MOST_NAME_BYTES)..sign)?;
    let trimmed = trim(window, b" \t\"'`:");
    let name_bytes =
        trimmed.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    let name = trimmed.get(trimmed.len() - name_bytes..)?;
    let kind = kind(name)?;
    let mut from = sign + 1;
    while b" \t=>:\"'`".contains(&at(bytes, from)) && from < sign + 8 {
        from += 1;
    }
    if kind == Kind::Scheme {
        let word = bytes.get(from..)?.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if !(3..=8).contains(&word) || at(bytes, from + word) != b' ' {
            return None;
        }
        from += word + 1;
    }
    let quoted = matches!(at(bytes, from.wrapping_sub(1)), b'"' | b'\'' | b'`');
    value(bytes, from, kind, at(bytes, sign) == b'=' || quoted)
}

/// The value that starts at `start`, when what stands before it is `password is`.
pub(super) fn said(bytes: &[u8], start: usize) -> Option<Spot> {
    let verb = before(bytes, start);
    let from = start.saturating_sub(MOST_NAME_BYTES);
    let said = VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known.as_bytes()));
    let window = bytes.get(from..start)?;
    if !said
        || !window
            .split(|byte| !byte.is_ascii_alphabetic())
            .any(|word| context::topics(word) & Topic::Secret.bit() != 0)
    {
        return None;
    }
    value(bytes, start, Kind::Password, false)
}

/// The private key whose header starts at `header`.
pub(super) fn private_key(bytes: &[u8], header: usize) -> Option<Spot> {
    let rest = bytes.get(header..)?;
    let line = rest.get(..rest.len().min(MOST_HEADER_BYTES))?;
    let named = line.windows(KEY.len()).position(|window| window == KEY)?;
    let body = named + KEY.len();
    // Without a footer it ends with what can be part of it.
    let in_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-\\ \r\n\t:,".contains(byte);
    let run = rest.get(body..)?.iter().take_while(|byte| in_key(byte)).count();
    let footer = memchr::memmem::find(rest.get(body..body + run)?, KEY).map(|at| body + at + KEY.len());
    let end = footer.unwrap_or(body + run);
    let dashes = rest.get(end..)?.iter().take_while(|byte| **byte == b'-').count();
    Some(Spot { start: header, end: header + end + dashes, entity: Entity::Secret, score: 99 })
}

/// Where the first private key in `text` may start.
pub(super) fn header(text: &[u8]) -> Option<usize> {
    static HEADER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("-----BEGIN "));
    HEADER.find(text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// People choose it.
    Password,
    /// Machines do.
    Key,
    /// A word says how it is sent, and it follows.
    Scheme,
}

/// What a name says of its value.
fn kind(name: &[u8]) -> Option<Kind> {
    let mut squeezed = [0_u8; MOST_NAME_BYTES];
    let mut length = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *squeezed.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = squeezed.get(..length)?;
    let last = name.last();
    let ends = |known: &[u8]| known.last() == last && name.ends_with(known);
    NAMES.iter().find(|(known, _)| ends(known.as_bytes())).map(|(_, kind)| *kind)
}

fn value(bytes: &[u8], start: usize, kind: Kind, program: bool) -> Option<Spot> {
    let rest = bytes.get(start..bytes.len().min(start + MOST_VALUE_BYTES))?;
    let length = rest.iter().take_while(|byte| !byte.is_ascii_whitespace() && !ends_value(**byte)).count();
    let mut text = rest.get(..length)?;
    while let Some((b'.' | b'!' | b'?' | b':', shorter)) = text.split_last().filter(|_| !program) {
        text = shorter;
    }
    let counts = |test: fn(&u8) -> bool| text.iter().filter(|byte| test(byte)).count();
    let digits = counts(u8::is_ascii_digit);
    let letters = counts(|byte| byte.is_ascii_alphabetic() || *byte == LETTER);
    let signs = text.len() - digits - letters;
    let capitals = counts(u8::is_ascii_uppercase);
    let mixed =
        capitals > 0 && capitals < letters && !text.get(1..).unwrap_or_default().iter().all(u8::is_ascii_lowercase);
    let same = text.iter().all(|byte| Some(byte) == text.first());
    if same || is_placeholder(text) {
        return None;
    }
    let score = match kind {
        Kind::Password if text.len() < 4 => return None,
        Kind::Password
            if (digits > 0 && letters > 0)
                || (signs > 0 && letters > 1 && text.len() >= 6 && !text.contains(&b'-')) =>
        {
            85
        }
        // `password: reset` is what people say; `password=reset` is what programs do.
        Kind::Password if program || (mixed && text.len() >= 6) => 75,
        Kind::Password if digits >= 4 && digits == text.len() => 66,
        Kind::Key | Kind::Scheme if text.len() >= 8 && is_random(text) => 85,
        _ => return None,
    };
    Some(Spot { start, end: start + text.len(), entity: Entity::Secret, score })
}

fn ends_value(byte: u8) -> bool {
    matches!(
        byte,
        b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'&' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'|'
    )
}

/// Whether a text is what a person would not type and a program would not name something.
fn is_random(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits >= 1 && letters >= 1 && digits + letters + 6 > text.len() * 3 / 4 && entropy(text) >= LEAST_ENTROPY_BITS
}

/// Shannon's entropy per byte.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = text.len().max(1) as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// What stands where a secret would: `<password>`, `***`, `null`, `${VAR}`, `[secret •••]`.
fn is_placeholder(text: &[u8]) -> bool {
    let veiled = text.iter().all(|byte| b"*x.-_X#".contains(byte)) || text.contains(&super::fold::OTHER);
    veiled
        || text.starts_with(b"$")
        || text.starts_with(b"%")
        || [
            &b"null"[..],
            b"none",
            b"true",
            b"false",
            b"changed",
            b"redacted",
            b"required",
            b"reset",
            b"hidden",
            b"empty",
            b"optional",
            b"string",
        ]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// JOSE: header, payload and signature (RFC 7519); the first two are objects.
fn is_web_token(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.');
    let object = |part: Option<&[u8]>| part.is_some_and(|part| part.starts_with(b"eyJ") && part.len() >= 12);
    text.starts_with(b"eyJ") && object(parts.next()) && object(parts.next())
}

/// The word before `start`, past a space and quotes.
fn before(bytes: &[u8], start: usize) -> &[u8] {
    let window = bytes.get(start.saturating_sub(24)..start).unwrap_or_default();
    let trimmed = trim(window, b" \"':");
    let length = trimmed.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || **byte == LETTER).count();
    trimmed.get(trimmed.len() - length..).unwrap_or_default()
}

fn trim<'b>(mut text: &'b [u8], signs: &[u8]) -> &'b [u8] {
    while let Some((last, shorter)) = text.split_last().filter(|(last, _)| signs.contains(last)) {
        let _ = last;
        text = shorter;
    }
    text
}

fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A prefix that an issuer gives its tokens.
struct Issued {
    prefix: &'static str,
    least: usize,
    most: usize,
    dotted: bool,
}

impl Issued {
    /// Whether `text` starts with a token of this issuer.
    fn starts(&self, text: &[u8]) -> bool {
        let Some(rest) = text.strip_prefix(self.prefix.as_bytes()) else { return false };
        let in_token =
            |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte) || (self.dotted && **byte == b'.');
        let length = rest.iter().take(self.most + 1).take_while(in_token).count();
        (self.least..=self.most).contains(&length) && rest.iter().take(length).any(u8::is_ascii_digit)
    }
}

/// Where a token of any issuer starts in `text`: at its start or behind a sign.
fn issued(text: &[u8]) -> Option<usize> {
    let fresh = |place: &usize| *place == 0 || !at(text, place - 1).is_ascii_alphanumeric();
    (0..text.len()).filter(fresh).find(|place| {
        let rest = text.get(*place..).unwrap_or_default();
        let first = rest.first();
        ISSUED.iter().any(|issued| issued.prefix.as_bytes().first() == first && issued.starts(rest))
    })
}

macro_rules! issued {
    ($($prefix:literal $least:literal..=$most:literal $dotted:literal,)*) => {
        static ISSUED: [Issued; [$($prefix),*].len()] =
            [$(Issued { prefix: $prefix, least: $least, most: $most, dotted: $dotted }),*];
    };
}

// Prefix, how many bytes follow, whether dots are among them.
issued! {
    "AKIA" 16..=16 false,
    "ASIA" 16..=16 false,
    "ghp_" 36..=255 false,
    "gho_" 36..=255 false,
    "ghu_" 36..=255 false,
    "ghs_" 36..=255 false,
    "ghr_" 36..=255 false,
    "github_pat_" 40..=255 false,
    "glpat-" 20..=64 false,
    "xoxb-" 20..=255 false,
    "xoxp-" 20..=255 false,
    "xoxa-" 20..=255 false,
    "xoxs-" 20..=255 false,
    "xoxr-" 20..=255 false,
    "xapp-" 20..=255 false,
    "sk_live_" 16..=255 false,
    "sk_test_" 16..=255 false,
    "rk_live_" 16..=255 false,
    "rk_test_" 16..=255 false,
    "whsec_" 24..=255 false,
    "sk-ant-" 32..=255 false,
    "sk-proj-" 32..=255 false,
    "AIza" 35..=35 false,
    "ya29." 20..=512 true,
    "npm_" 36..=36 false,
    "pypi-" 40..=255 false,
    "SG." 40..=90 true,
    "shpat_" 32..=32 false,
    "hf_" 30..=64 false,
    "dop_v1_" 64..=64 false,
}

/// How names of secrets end, without signs.
const NAMES: [(&str, Kind); 26] = [
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passwort", Kind::Password),
    ("kennwort", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("pwd", Kind::Password),
    ("contrasena", Kind::Password),
    ("motdepasse", Kind::Password),
    ("passe", Kind::Password),
    ("wachtwoord", Kind::Password),
    ("haslo", Kind::Password),
    ("senha", Kind::Password),
    ("secret", Kind::Key),
    ("secretkey", Kind::Key),
    ("clientsecret", Kind::Key),
    ("apikey", Kind::Key),
    ("accesskey", Kind::Key),
    ("accesskeyid", Kind::Key),
    ("privatekey", Kind::Key),
    ("authkey", Kind::Key),
    ("signingkey", Kind::Key),
    ("encryptionkey", Kind::Key),
    ("token", Kind::Key),
    ("credentials", Kind::Key),
    ("authorization", Kind::Scheme),
];
const VERBS: [&str; 10] = ["is", "lautet", "ist", "es", "est", "e", "jest", "to", "was", "now"];
const KEY: &[u8] = b"PRIVATE KEY";
const LEAST_TOKEN_BYTES: usize = 16;
const LEAST_ENTROPY_BITS: f64 = 2.8;
const MOST_NAME_BYTES: usize = 40;
const MOST_HEADER_BYTES: usize = 48;
const MOST_VALUE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use crate::{
        detect::{Detector, Sought},
        model::Entity,
    };

    fn found(text: &str) -> Vec<&str> {
        let mut findings = Vec::new();
        Detector::of(Sought::these(&[Entity::Secret])).scan(text, &mut findings);
        findings.iter().map(|finding| &text[finding.start..finding.end]).collect()
    }

    /// Made here so that no scanner of sources takes them for real ones.
    fn token(prefix: &str, bytes: usize) -> String {
        let alphabet = b"a1B2c3D4e5F6g7H8i9J0kLmNoPqRsTuVwXyZ";
        prefix.chars().chain((0..bytes).map(|place| char::from(alphabet[place * 7 % alphabet.len()]))).collect()
    }

    #[test]
    fn tokens_are_found_by_their_prefix() {
        for (prefix, bytes) in
            [("AKIA", 16), ("ghp_", 36), ("glpat-", 20), ("xoxb-", 40), ("sk_live_", 24), ("AIza", 35), ("npm_", 36)]
        {
            let token = token(prefix, bytes);
            for text in [format!("use {token}, please"), format!("KEY={token}"), format!("\"{token}\""), token.clone()]
            {
                assert_eq!(found(&text), [&token], "{text}");
            }
        }
        let jwt = format!("{}.{}.{}", token("eyJhbGci", 20), token("eyJzdWIi", 30), token("", 43));
        assert_eq!(found(&format!("Authorization: Bearer {jwt}")), [&jwt]);
        assert_eq!(found(&format!("see {jwt}.")), [&jwt]);
    }

    #[test]
    fn private_keys_are_found_whole() {
        let body = token("", 64);
        let key = format!(
            "{}-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----",
            ["-----BEGIN RSA", "PRIVATE KEY"].join(" ")
        );
        assert_eq!(found(&format!("my key:\n{key}\nthanks")), [&key]);
    }

    #[test]
    fn assigned_values_are_found() {
        for (text, value) in [
            ("password=hunter2", "hunter2"),
            ("Password: Sommer2024!", "Sommer2024!"),
            ("Das Passwort lautet Sommer2024.", "Sommer2024"),
            ("{\"password\": \"correct-horse\"}", "correct-horse"),
            ("pwd = tr0ub4dor", "tr0ub4dor"),
            ("my password is Blue7Sky, ok", "Blue7Sky"),
            ("contraseña: Gato99", "Gato99"),
            ("hasło: Kot12345", "Kot12345"),
            ("api_key: 9f8c2d1e4b7a4c3e9d2f", "9f8c2d1e4b7a4c3e9d2f"),
            ("client-secret=\"q8Zr4LxWv2\"", "q8Zr4LxWv2"),
        ] {
            let trimmed = value.trim_end_matches('!');
            let hits = found(text);
            assert!(hits == [value] || hits == [trimmed], "{text} {hits:?}");
        }
    }

    #[test]
    fn what_people_say_of_passwords_is_no_secret() {
        for text in [
            "password: reset",
            "Password: customer forgot it",
            "his password is wrong",
            "password=********",
            "password: ${DB_PASSWORD}",
            "token: expired",
            "The secret: be kind",
            "password = null",
            "commit 9f8c2d1e4b7a4c3e9d2f",
            "request id 550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
