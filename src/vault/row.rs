//! A token's row as bytes: what is sealed into the store, and read back.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::VaultError;
use crate::model::{Sensitive, TokenShape};

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The token.
    pub(super) token: String,
    /// Its shape.
    pub(super) shape: TokenShape,
    /// The class of the value.
    pub(super) class: Arc<str>,
    /// The display text.
    pub(super) text: Sensitive<String>,
    /// The text that is compared, where it differs from the display text.
    pub(super) normalised: Option<Sensitive<String>>,
    /// Under which look-up hash it is found.
    pub(super) lookup: [u8; 16],
}

impl Row {
    /// The text that is compared.
    pub(super) fn compared(&self) -> &str {
        self.normalised.as_ref().unwrap_or(&self.text).expose()
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let text = self.text.expose().as_bytes();
        let normalised = self.normalised.as_ref().map_or(&[][..], |text| text.expose().as_bytes());
        let size = 2 + 16 + 12 + self.token.len() + self.class.len() + text.len() + normalised.len();
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        out.push(VERSION);
        let differs = if self.normalised.is_some() { DIFFERS } else { 0 };
        out.push(shape_byte(self.shape) | differs);
        out.extend_from_slice(&self.lookup);
        for part in [self.token.as_bytes(), self.class.as_bytes(), text] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(normalised);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        Self::parse(bytes).ok_or(VaultError::Tampered)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let ([version, kind], rest) = bytes.split_first_chunk::<2>()?;
        if *version != VERSION {
            return None;
        }
        let (lookup, rest) = rest.split_first_chunk::<16>()?;
        let (token, rest) = part(rest)?;
        let (class, rest) = part(rest)?;
        let (text, rest) = part(rest)?;
        let normalised =
            (kind & DIFFERS != 0).then(|| Some(Sensitive::new(std::str::from_utf8(rest).ok()?.to_owned())));
        Some(Self {
            token: token.to_owned(),
            shape: shape_of(kind & !DIFFERS)?,
            class: class.into(),
            text: Sensitive::new(text.to_owned()),
            normalised: normalised.unwrap_or_default(),
            lookup: *lookup,
        })
    }
}

fn part(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((std::str::from_utf8(part).ok()?, rest))
}

fn shape_byte(shape: TokenShape) -> u8 {
    match shape {
        TokenShape::Opaque => 1,
        TokenShape::Email => 2,
        TokenShape::Phone => 3,
    }
}

fn shape_of(byte: u8) -> Option<TokenShape> {
    [TokenShape::Opaque, TokenShape::Email, TokenShape::Phone].into_iter().find(|shape| shape_byte(*shape) == byte)
}

const VERSION: u8 = 1;
/// The normalised text follows the display text.
const DIFFERS: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(normalised: Option<&str>) -> Row {
        Row {
            token: "+999123456789011".to_owned(),
            shape: TokenShape::Phone,
            class: "phone".into(),
            text: Sensitive::new("+49 30 1234567".to_owned()),
            normalised: normalised.map(|text| Sensitive::new(text.to_owned())),
            lookup: [7; 16],
        }
    }

    #[test]
    fn rows_survive_their_bytes() {
        for row in [row(None), row(Some("+49301234567")), row(Some(""))] {
            let again = Row::decode(&row.encode()).unwrap();
            assert_eq!(again, row);
            assert_eq!(again.compared(), row.compared());
        }
    }

    #[test]
    fn cut_rows_are_refused() {
        let bytes = row(None).encode();
        for end in 0..bytes.len() {
            assert!(Row::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}
