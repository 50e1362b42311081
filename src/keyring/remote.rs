//! Providers outside of this process, each behind its build feature: which one is asked.

use std::collections::BTreeMap;

use super::{provider::KekError, settings::KekSettings};
use crate::crypto::Krk;

/// What the wrapped root is bound to at the service.
pub(super) type Context = BTreeMap<String, String>;

/// The key's name at the service, and the wrapped root.
pub(super) fn wrap(settings: &KekSettings, root: &Krk, context: &Context) -> Result<(String, Vec<u8>), KekError> {
    match settings {
        #[cfg(feature = "aws-kms")]
        KekSettings::AwsKms { .. } => super::kms::Client::new(settings)?.wrap(root, context),
        #[cfg(feature = "vault-transit")]
        KekSettings::VaultTransit { .. } => super::transit::Client::new(settings)?.wrap(root, context),
        #[cfg(feature = "pkcs11")]
        KekSettings::Pkcs11 { .. } => super::pkcs11::wrap(settings, root, context),
        _ => {
            let _ = (root, context);
            Err(KekError::NotBuilt)
        }
    }
}

/// The root.
pub(super) fn unwrap(settings: &KekSettings, wrapped: &[u8], context: &Context) -> Result<Krk, KekError> {
    match settings {
        #[cfg(feature = "aws-kms")]
        KekSettings::AwsKms { .. } => super::kms::Client::new(settings)?.unwrap(wrapped, context),
        #[cfg(feature = "vault-transit")]
        KekSettings::VaultTransit { .. } => super::transit::Client::new(settings)?.unwrap(wrapped, context),
        #[cfg(feature = "pkcs11")]
        KekSettings::Pkcs11 { .. } => super::pkcs11::unwrap(settings, wrapped, context),
        _ => {
            let _ = (wrapped, context);
            Err(KekError::NotBuilt)
        }
    }
}
