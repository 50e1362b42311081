//! API keys: `fg_<id>_<secret>`. Only a keyed hash of the secret is stored; a wrong id costs what a wrong secret costs.

use std::{collections::HashMap, sync::Arc};

use subtle::ConstantTimeEq;

use super::{ApiKeySettings, IdentityError, credential::KEY_PREFIX, principal::Directory};
use crate::{
    crypto::{self, MacKey, NoRandomness},
    model::{Problem, Sensitive, Timestamp},
};

/// Why no key was made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The id cannot stand in a key.
    #[error("not an id of an API key; 1 to 64 letters, digits, `.`, `_` and `-` are expected")]
    Id,
    /// No fresh secret.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A key that was just made: the key for its holder, the hash for the configuration.
#[derive(Debug)]
pub struct NewApiKey {
    /// `fg_<id>_<64 hex digits>`: 256 random bits. Not stored anywhere.
    pub key: Sensitive<String>,
    /// `hmac-sha256:<64 hex digits>`.
    pub hash: String,
}

/// Makes the key `id`, hashed under `mac`.
///
/// # Errors
/// When `id` is not 1–64 letters, digits, `.`, `_` and `-`, or the random source fails.
pub fn new_api_key(mac: &MacKey, id: &str) -> Result<NewApiKey, IdError> {
    if !is_key_id(id) {
        return Err(IdError::Id);
    }
    let random = Sensitive::new(crypto::random::<SECRET_BYTES>()?.to_vec());
    let secret = Sensitive::new(crypto::hex(random.expose()));
    let hash = format!("{HASH_PREFIX}{}", crypto::hex(&tag(mac, id, secret.expose())));
    Ok(NewApiKey { key: Sensitive::new(format!("{KEY_PREFIX}{id}_{}", secret.expose())), hash })
}

/// The configured keys.
pub(super) struct ApiKeys {
    mac: MacKey,
    by_id: HashMap<String, ApiKey>,
}

/// One key.
pub(super) struct ApiKey {
    /// Its public name.
    pub(super) id: Arc<str>,
    /// Who calls with it.
    pub(super) principal: Arc<str>,
    /// When it ends.
    pub(super) expires: Option<Timestamp>,
    tag: [u8; 32],
}

impl ApiKeys {
    /// Reads the tables; mistakes go to `problems`.
    pub(super) fn new(
        mac: MacKey,
        settings: &[ApiKeySettings],
        directory: &Directory,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut by_id = HashMap::with_capacity(settings.len());
        for (index, key) in settings.iter().enumerate() {
            let mut wrong = |field, what, help| {
                problems.push(Problem::new(format!("identity.api_key.{index}.{field}"), what, help));
            };
            if !is_key_id(&key.id) {
                wrong("id", "not an id of an API key", "use 1 to 64 letters, digits, `.`, `_` and `-`");
            }
            if !directory.lists(&key.principal) {
                wrong("principal", "there is no `[[principal]]` with this id", "add one, or correct the id");
            } else if !directory.can_stand_alone(&key.principal) {
                let help = "give that principal `on_behalf_of` or `may_act_for`";
                wrong("principal", "this AI agent has no human to act for: every call would be refused", help);
            }
            let Some(tag) = parse_tag(&key.hash) else {
                wrong("hash", "not a hash of an API key", "make a key with `fieldgate identity new-key`");
                continue;
            };
            let (id, principal) = (key.id.as_str().into(), key.principal.as_str().into());
            let known = by_id.insert(key.id.clone(), ApiKey { id, principal, expires: key.expires, tag });
            if known.is_some() {
                wrong("id", "this id is given to two keys", "give each key its own id");
            }
        }
        Self { mac, by_id }
    }

    /// The key that `text` is, at `now`.
    pub(super) fn check(&self, text: &str, now: Timestamp) -> Result<&ApiKey, IdentityError> {
        let rest = text.strip_prefix(KEY_PREFIX).ok_or(IdentityError::Malformed)?;
        let (id, secret) = rest.rsplit_once('_').ok_or(IdentityError::Malformed)?;
        let known = self.by_id.get(id);
        // An unknown id is compared too, with a tag that no secret has: the time says nothing about which ids exist.
        let expected = known.map_or([0; 32], |key| key.tag);
        let equal = bool::from(tag(&self.mac, id, secret).ct_eq(&expected));
        let key = known.filter(|_| equal).ok_or(IdentityError::ApiKey)?;
        if key.expires.is_some_and(|expires| now >= expires) { Err(IdentityError::ApiKeyExpired) } else { Ok(key) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

fn tag(mac: &MacKey, id: &str, secret: &str) -> [u8; 32] {
    mac.mac(&[id.as_bytes(), secret.as_bytes()])
}

fn is_key_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn parse_tag(hash: &str) -> Option<[u8; 32]> {
    let digits = hash.strip_prefix(HASH_PREFIX).filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let mut tag = [0; 32];
    for (slot, pair) in tag.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        *slot = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(tag)
}

const HASH_PREFIX: &str = "hmac-sha256:";
const SECRET_BYTES: usize = 32;
const MAX_ID_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::tests::{NOW, build, mac, mistakes};

    const DESK: &str = "[[principal]]\nid='anna'\nroles=['agent']\n";

    fn made(id: &str) -> (NewApiKey, String) {
        let made = new_api_key(&mac(), id).unwrap();
        let table = format!("[[identity.api_key]]\nid='{id}'\nhash='{}'\nprincipal='anna'\n", made.hash);
        (made, table)
    }

    #[test]
    fn a_new_key_works_in_both_headers_and_is_always_the_same_principal() {
        for id in ["desk-7", "a_b_c", "x.Y", &"i".repeat(64)] {
            let (made, table) = made(id);
            let identity = build(&format!("{table}{DESK}"));
            let first = identity.of(&[("fieldgate-key", made.key.expose())]).unwrap();
            let second = identity.of(&[("authorization", &format!("Bearer {}", made.key.expose()))]).unwrap();
            assert!(Arc::ptr_eq(&first, &second));
            assert_eq!((&*first.id, &*first.roles[0]), ("anna", "agent"));
            assert_eq!(first.via, crate::model::Via::ApiKey(id.into()));
        }
    }

    #[test]
    fn ids_that_cannot_stand_in_a_key_are_refused() {
        for id in ["", "a b", "ä", "a/b", &"i".repeat(65)] {
            assert_eq!(new_api_key(&mac(), id).unwrap_err(), IdError::Id, "{id}");
        }
    }

    #[test]
    fn unknown_id_and_wrong_secret_look_alike() {
        let (made, table) = made("desk-7");
        let identity = build(&format!("{table}{DESK}"));
        let key = made.key.expose();
        let secret = key.rsplit_once('_').unwrap().1;
        let zeros = "0".repeat(64);
        for wrong in [
            format!("fg_desk-8_{secret}"),
            format!("fg_desk-7_{zeros}"),
            format!("fg_desk-7_{}", secret.to_uppercase()),
            format!("fg_desk-7_{secret}0"),
            format!("fg_unknown_{zeros}"),
            format!("fg_desk-7_{}", made.hash.rsplit_once(':').unwrap().1),
            "fg_desk-7_".to_owned(),
        ] {
            assert_eq!(identity.of(&[("fieldgate-key", &wrong)]), Err(IdentityError::ApiKey), "{wrong}");
        }
        for odd in ["fg_", "fg_desk", "desk-7", key.trim_start_matches("fg_")] {
            assert_eq!(identity.of(&[("fieldgate-key", odd)]), Err(IdentityError::Malformed), "{odd}");
        }
    }

    #[test]
    fn a_key_ends_when_it_says() {
        let (made, table) = made("desk-7");
        let now = |text: &str| {
            let identity = build(&format!("{table}expires={text}\n{DESK}"));
            identity.of(&[("fieldgate-key", made.key.expose())]).map(|principal| principal.expires.is_some())
        };
        assert_eq!(NOW.to_string(), "2026-11-24T09:14:02.000000Z");
        assert_eq!(now("2026-11-24"), Ok(true), "a date counts until its end");
        assert_eq!(now("'2026-11-24T09:14:03Z'"), Ok(true));
        assert_eq!(now("2026-11-24T09:14:02Z"), Err(IdentityError::ApiKeyExpired));
        assert_eq!(now("'2026-11-23'"), Err(IdentityError::ApiKeyExpired));
    }

    #[test]
    fn a_remembered_key_still_needs_its_secret() {
        let (made, table) = made("desk-7");
        let identity = build(&format!("{table}{DESK}"));
        identity.of(&[("fieldgate-key", made.key.expose())]).unwrap();
        let wrong = format!("fg_desk-7_{}", "0".repeat(64));
        assert_eq!(identity.of(&[("fieldgate-key", &wrong)]), Err(IdentityError::ApiKey));
    }

    #[test]
    fn mistakes_are_named_by_their_keys() {
        let (_, table) = made("desk-7");
        assert_eq!(mistakes(&table), ["identity.api_key.0.principal"]);
        assert_eq!(mistakes(&format!("{table}{table}{DESK}")), ["identity.api_key.1.id"]);
        let bad = "[[identity.api_key]]\nid='a b'\nhash='fg_a_b'\nprincipal='anna'\n";
        assert_eq!(mistakes(&format!("{bad}{DESK}")), ["identity.api_key.0.id", "identity.api_key.0.hash"]);
        let lone = "[[principal]]\nid='anna'\nkind='ai'\n";
        assert_eq!(mistakes(&format!("{table}{lone}")), ["identity.api_key.0.principal"]);
    }
}
