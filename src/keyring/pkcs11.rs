//! A key inside an HSM: AES-GCM of PKCS #11 (`CKM_AES_GCM`). Key wrapping of RFC 5649 is not used: SoftHSM has it
//! under the id of another mechanism (opendnssec/softhsmv2#726), so that what works there fails on real modules.

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use zeroize::Zeroizing;

use super::{
    provider::{KekError, secret},
    remote::Context,
    settings::KekSettings,
};
use crate::crypto::{Krk, random};

const NONCE_BYTES: usize = 12;

/// The label of the key, and `nonce12 ‖ ciphertext ‖ tag16` of the root.
pub(super) fn wrap(settings: &KekSettings, root: &Krk, context: &Context) -> Result<(String, Vec<u8>), KekError> {
    with_key(settings, |session, key, label| {
        let mut nonce = random::<NONCE_BYTES>().map_err(|_| KekError::NoRandomness)?;
        let (mut used, bound) = (nonce, bound(context)?);
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut used, &bound, 128.into()).map_err(refused)?);
        let sealed = session.encrypt(&mechanism, key, root.expose()).map_err(refused)?;
        drop(mechanism);
        // A module may choose a nonce of its own and write it back (PKCS #11 3.0 §2.2): what it used is what counts.
        nonce.copy_from_slice(&used);
        Ok((label.to_owned(), [nonce.as_slice(), &sealed].concat()))
    })
}

pub(super) fn unwrap(settings: &KekSettings, wrapped: &[u8], context: &Context) -> Result<Krk, KekError> {
    with_key(settings, |session, key, _| {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_BYTES>().ok_or(KekError::Wrong)?;
        let (mut nonce, bound) = (*nonce, bound(context)?);
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, &bound, 128.into()).map_err(refused)?);
        let opened = session.decrypt(&mechanism, key, sealed).map(Zeroizing::new).map_err(|_| KekError::Wrong)?;
        let bytes = opened.as_slice().try_into().map_err(|_| KekError::Wrong)?;
        Ok(Krk::from_bytes(Zeroizing::new(bytes)))
    })
}

/// Runs `work` in a session in which the key of `settings` was found.
fn with_key<T>(
    settings: &KekSettings,
    work: impl FnOnce(&Session, ObjectHandle, &str) -> Result<T, KekError>,
) -> Result<T, KekError> {
    let KekSettings::Pkcs11 { module, token, key, pin_file } = settings else { return Err(KekError::NotBuilt) };
    let pin = Zeroizing::new(secret(pin_file)?.expose().trim_end().to_owned());
    let library = Pkcs11::new(module).map_err(|_| KekError::Secret("the PKCS #11 module cannot be loaded".into()))?;
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(refused)?;
    let slots = library.get_slots_with_token().map_err(refused)?;
    let labelled = |slot: &&cryptoki::slot::Slot| {
        library.get_token_info(**slot).is_ok_and(|info| info.label().trim_end() == token.as_str())
    };
    let slot = slots.iter().find(labelled).ok_or(KekError::Secret("no token has that label".into()))?;
    let session = library.open_ro_session(*slot).map_err(refused)?;
    session.login(UserType::User, Some(&AuthPin::from(pin.as_str()))).map_err(refused)?;
    let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(key.clone().into_bytes())];
    let found = session.find_objects(&wanted).map_err(refused)?;
    let [handle] = found.as_slice() else {
        return Err(KekError::Secret(format!("{} keys have that label", found.len())));
    };
    work(&session, *handle, key)
}

/// The context as one text: its keys are sorted.
fn bound(context: &Context) -> Result<Vec<u8>, KekError> {
    serde_json::to_vec(context).map_err(|_| KekError::Wrong)
}

#[expect(clippy::needless_pass_by_value, reason = "given to `map_err`")]
fn refused(error: cryptoki::error::Error) -> KekError {
    match error {
        cryptoki::error::Error::Pkcs11(code, _) => KekError::Refused(format!("{code:?}")),
        _ => KekError::Refused("the module failed".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, process::Command};

    use super::{super::private, *};

    /// SoftHSM 2 (Debian: `apt install softhsm2`), and a token with an AES key in it. Its folder is named by
    /// `SOFTHSM2_CONF`: `FIELDGATE_SOFTHSM=1 SOFTHSM2_CONF=… cargo test --features pkcs11 pkcs11`.
    fn module() -> Option<PathBuf> {
        let own = std::env::var_os("FIELDGATE_PKCS11_MODULE").map(PathBuf::from);
        let usual = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
        let found = own.into_iter().chain(usual.map(PathBuf::from)).find(|path| path.exists());
        if found.is_none() || std::env::var_os("SOFTHSM2_CONF").is_none() {
            eprintln!("SKIPPED: no SoftHSM module, or `SOFTHSM2_CONF` does not name a folder for its tokens");
            return None;
        }
        found
    }

    fn key_in(module: &PathBuf, token: &str) {
        let tool = std::env::var("FIELDGATE_SOFTHSM_UTIL").unwrap_or_else(|_| "softhsm2-util".into());
        let made = ["--init-token", "--free", "--label", token, "--so-pin", "so-1234", "--pin", "user-1234"];
        assert!(Command::new(tool).args(made).arg("--module").arg(module).status().unwrap().success());
        let library = Pkcs11::new(module).unwrap();
        library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let labelled = |slot: &cryptoki::slot::Slot| library.get_token_info(*slot).unwrap().label() == token;
        let slot = library.get_slots_with_token().unwrap().into_iter().find(labelled).unwrap();
        let session = library.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&AuthPin::from("user-1234"))).unwrap();
        let template = [
            Attribute::Token(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(b"kek".to_vec()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
    }

    #[test]
    fn a_root_goes_into_the_module_and_comes_back_for_its_tenant_only() {
        let Some(module) = module() else { return };
        let dir = tempfile::tempdir().unwrap();
        let token = format!("fieldgate-{}", std::process::id());
        key_in(&module, &token);
        let pin_file = dir.path().join("pin");
        private::create(&pin_file, "user-1234\n").unwrap();
        let settings = |token: &str, key: &str| KekSettings::Pkcs11 {
            module: module.clone(),
            token: token.into(),
            key: key.into(),
            pin_file: pin_file.clone(),
        };
        let context = |tenant: &str| Context::from([("tenant".to_owned(), tenant.to_owned())]);
        let root = Krk::generate().unwrap();
        let (name, wrapped) = wrap(&settings(&token, "kek"), &root, &context("acme")).unwrap();
        assert_eq!((name.as_str(), wrapped.len()), ("kek", 12 + 32 + 16));
        let again = unwrap(&settings(&token, "kek"), &wrapped, &context("acme")).unwrap();
        assert_eq!(again.expose(), root.expose());
        assert_eq!(unwrap(&settings(&token, "kek"), &wrapped, &context("evil")).unwrap_err(), KekError::Wrong);
        assert!(matches!(unwrap(&settings(&token, "no"), &wrapped, &context("acme")), Err(KekError::Secret(_))));
        assert!(matches!(unwrap(&settings("no", "kek"), &wrapped, &context("acme")), Err(KekError::Secret(_))));
    }
}
