//! The transit engine of HashiCorp Vault and OpenBao: encrypt and decrypt of a named AEAD key, the tenant as
//! associated data.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    provider::{KekError, secret},
    remote::Context,
    service::{Service, root},
    settings::KekSettings,
};
use crate::{crypto::Krk, model::Sensitive};

/// One key of a transit engine.
pub(super) struct Client {
    service: Service,
    mount: String,
    key: String,
    token: Sensitive<String>,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

impl Client {
    /// The key of `settings`, with the token of its file.
    pub(super) fn new(settings: &KekSettings) -> Result<Self, KekError> {
        let KekSettings::VaultTransit { url, key, mount, token_file, ca } = settings else {
            return Err(KekError::NotBuilt);
        };
        let token = Sensitive::new(secret(token_file)?.expose().trim().to_owned());
        let service = Service::new(url, ca.as_deref())?;
        Ok(Self { service, mount: mount.trim_matches('/').to_owned(), key: key.clone(), token })
    }

    /// `MOUNT/KEY`, and what Vault calls the ciphertext: `vault:v3:…`.
    pub(super) fn wrap(&self, root: &Krk, context: &Context) -> Result<(String, Vec<u8>), KekError> {
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(root.expose()));
        let ask = Encrypt { plaintext: &plaintext, associated_data: &bound(context)? };
        let answer: Answer<Encrypted> = self.call("encrypt", &ask)?;
        if !answer.data.ciphertext.starts_with("vault:v") {
            return Err(strange());
        }
        Ok((format!("{}/{}", self.mount, self.key), answer.data.ciphertext.into_bytes()))
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<Krk, KekError> {
        let ciphertext = std::str::from_utf8(wrapped).map_err(|_| KekError::Wrong)?;
        let ask = Decrypt { ciphertext, associated_data: &bound(context)? };
        let mut answer: Answer<Decrypted> = self.call("decrypt", &ask)?;
        let bytes = BASE64_STANDARD.decode(&answer.data.plaintext).map(Zeroizing::new).map_err(|_| strange());
        answer.data.plaintext.zeroize();
        root(&bytes?)
    }

    fn call<A: for<'a> Deserialize<'a>>(&self, verb: &str, ask: &impl Serialize) -> Result<A, KekError> {
        let body = serde_json::to_vec(ask).map_err(|_| strange())?;
        let mut token = HeaderValue::from_str(self.token.expose())
            .map_err(|_| KekError::Secret("the token file holds something else than a token".into()))?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-token", token);
        // Vault answers only requests that a browser cannot have been tricked into, where its listener asks for it.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.service.post(&format!("/v1/{}/{verb}/{}", self.mount, self.key), headers, body)?;
        serde_json::from_slice(&answer).map_err(|_| strange())
    }
}

/// The context as one text, in base64: its keys are sorted.
fn bound(context: &Context) -> Result<String, KekError> {
    Ok(BASE64_STANDARD.encode(serde_json::to_vec(context).map_err(|_| strange())?))
}

fn strange() -> KekError {
    KekError::Unreachable("its answer is not that of a transit engine".into())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            private,
            service::testing::{Received, stub},
        },
        *,
    };

    fn context(tenant: &str) -> Context {
        [("tenant".to_owned(), tenant.to_owned())].into()
    }

    fn client(dir: &std::path::Path, url: String) -> Client {
        let token_file = dir.join("token");
        let _ = private::create(&token_file, "hvs.TOKEN\n");
        let (mount, key) = ("kv/transit".into(), "fieldgate".into());
        Client::new(&KekSettings::VaultTransit { url, key, mount, token_file, ca: None }).unwrap()
    }

    /// An engine that checks what a real one checks, and "encrypts" by keeping everything in the ciphertext.
    fn engine(received: &Received) -> (u16, String) {
        assert_eq!(received.header("x-vault-token"), "hvs.TOKEN");
        let of = |field: &str| received.body[field].as_str().unwrap().to_owned();
        if received.head.starts_with("POST /v1/kv/transit/encrypt/fieldgate HTTP/1.1") {
            let sealed = format!("vault:v2:{}.{}", of("associated_data"), of("plaintext"));
            return (200, format!(r#"{{"data":{{"ciphertext":"{sealed}","key_version":2}}}}"#));
        }
        assert!(received.head.starts_with("POST /v1/kv/transit/decrypt/fieldgate HTTP/1.1"));
        let prefix = format!("vault:v2:{}.", of("associated_data"));
        match of("ciphertext").strip_prefix(&prefix) {
            Some(plain) => (200, format!(r#"{{"data":{{"plaintext":"{plain}"}}}}"#)),
            None => (400, r#"{"errors":["cipher: message authentication failed"]}"#.into()),
        }
    }

    #[test]
    fn a_root_goes_to_transit_and_comes_back_for_its_tenant_only() {
        let dir = tempfile::tempdir().unwrap();
        let (url, served) = stub(3, engine);
        let (client, root) = (client(dir.path(), url), Krk::generate().unwrap());
        let (name, wrapped) = client.wrap(&root, &context("acme")).unwrap();
        assert_eq!(name, "kv/transit/fieldgate");
        assert_eq!(client.unwrap(&wrapped, &context("acme")).unwrap().expose(), root.expose());
        let refused = client.unwrap(&wrapped, &context("evil")).unwrap_err();
        assert_eq!(refused, KekError::Refused("status 400".into()));
        served.join().unwrap();
    }

    #[test]
    fn an_answer_of_another_service_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for answer in ["{}", "hello", r#"{"data":{"plaintext":"AAAA"}}"#, r#"{"data":{"ciphertext":"plain"}}"#] {
            let (url, served) = stub(2, move |_| (200, answer.into()));
            let client = client(dir.path(), url);
            assert!(client.wrap(&Krk::generate().unwrap(), &context("acme")).is_err(), "{answer}");
            assert!(client.unwrap(b"vault:v1:x", &context("acme")).is_err(), "{answer}");
            served.join().unwrap();
        }
    }
}
