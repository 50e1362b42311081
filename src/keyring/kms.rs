//! AWS KMS: Encrypt and Decrypt of its JSON 1.1 protocol, signed with Signature Version 4. The root is bound to its
//! tenant by the encryption context, which the key's policy can ask for too.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    provider::KekError,
    remote::Context,
    service::{Service, root},
    settings::KekSettings,
    sigv4::{Credentials, Signed, authorization, date},
};
use crate::{
    crypto::Krk,
    model::{Sensitive, Timestamp},
};

/// One key of AWS KMS.
pub(super) struct Client {
    service: Service,
    key: String,
    region: String,
    credentials: Credentials,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt<'a> {
    key_id: &'a str,
    plaintext: &'a str,
    encryption_context: &'a Context,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt<'a> {
    key_id: &'a str,
    ciphertext_blob: &'a str,
    encryption_context: &'a Context,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypted {
    ciphertext_blob: String,
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypted {
    plaintext: String,
}

impl Client {
    /// The key of `settings`, with the credentials of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// `AWS_SESSION_TOKEN`.
    pub(super) fn new(settings: &KekSettings) -> Result<Self, KekError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let needed = |name: &str| {
            variable(name).ok_or_else(|| KekError::Secret(format!("the environment variable `{name}` is not set")))
        };
        let credentials = Credentials {
            id: needed("AWS_ACCESS_KEY_ID")?,
            secret: Sensitive::new(needed("AWS_SECRET_ACCESS_KEY")?),
            session: variable("AWS_SESSION_TOKEN").map(Sensitive::new),
        };
        Self::with(settings, credentials)
    }

    fn with(settings: &KekSettings, credentials: Credentials) -> Result<Self, KekError> {
        let KekSettings::AwsKms { key, region, endpoint, ca } = settings else { return Err(KekError::NotBuilt) };
        let url = endpoint.clone().unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com"));
        let service = Service::new(&url, ca.as_deref())?;
        Ok(Self { service, key: key.clone(), region: region.clone(), credentials })
    }

    /// The ARN of the key, and the root under it.
    pub(super) fn wrap(&self, root: &Krk, context: &Context) -> Result<(String, Vec<u8>), KekError> {
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(root.expose()));
        let ask = Encrypt { key_id: &self.key, plaintext: &plaintext, encryption_context: context };
        let answer: Encrypted = self.call("TrentService.Encrypt", &ask)?;
        let wrapped = BASE64_STANDARD.decode(answer.ciphertext_blob).map_err(|_| strange())?;
        Ok((answer.key_id, wrapped))
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<Krk, KekError> {
        let blob = BASE64_STANDARD.encode(wrapped);
        let ask = Decrypt { key_id: &self.key, ciphertext_blob: &blob, encryption_context: context };
        let mut answer: Decrypted = self.call("TrentService.Decrypt", &ask)?;
        let bytes = BASE64_STANDARD.decode(&answer.plaintext).map(Zeroizing::new).map_err(|_| strange());
        answer.plaintext.zeroize();
        root(&bytes?)
    }

    fn call<A: for<'a> Deserialize<'a>>(&self, target: &str, ask: &impl Serialize) -> Result<A, KekError> {
        let payload = serde_json::to_vec(ask).map_err(|_| strange())?;
        let date = date(now());
        let session = self.credentials.session.as_ref().map(|token| token.expose().as_str());
        let mut signed =
            vec![("content-type", "application/x-amz-json-1.1"), ("host", self.service.host()), ("x-amz-date", &date)];
        signed.extend(session.map(|token| ("x-amz-security-token", token)));
        signed.push(("x-amz-target", target));
        let request = Signed {
            method: "POST",
            path: "/",
            query: "",
            headers: &signed,
            payload: &payload,
            region: &self.region,
            service: "kms",
        };
        let authorization = authorization(&self.credentials, &request, &date);
        let mut headers = HeaderMap::new();
        for (name, value) in signed.iter().copied().chain([("authorization", authorization.as_str())]) {
            let mut value = HeaderValue::from_str(value).map_err(|_| KekError::Secret("not a header value".into()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| strange())?, value);
        }
        let answer = self.service.post("/", headers, payload)?;
        serde_json::from_slice(&answer).map_err(|_| strange())
    }
}

fn strange() -> KekError {
    KekError::Unreachable("its answer is not that of AWS KMS".into())
}

/// Signatures are good for five minutes around the service's own time.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{
        super::service::testing::{Received, stub},
        *,
    };
    use crate::crypto::{hex, sha256};

    fn client(url: &str) -> Client {
        let settings = KekSettings::AwsKms {
            key: "alias/fieldgate".into(),
            region: "eu-central-1".into(),
            endpoint: Some(url.into()),
            ca: None,
        };
        let credentials = Credentials {
            id: "AKIDEXAMPLE".into(),
            secret: String::from("secret").into(),
            session: Some(String::from("session").into()),
        };
        Client::with(&settings, credentials).unwrap()
    }

    fn context(tenant: &str) -> Context {
        [("tenant".to_owned(), tenant.to_owned())].into()
    }

    /// A KMS that checks what a real one checks, and "encrypts" by reversing the bytes.
    fn kms(received: &Received) -> (u16, String) {
        let (ask, arn) = (&received.body, "arn:aws:kms:eu-central-1:1:key/x");
        let date = received.header("x-amz-date");
        let names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        let mut canonical = "POST\n/\n\n".to_owned();
        for name in names.split(';') {
            canonical += &format!("{name}:{}\n", received.header(name));
        }
        canonical += &format!("\n{names}\n{}", hex(&sha256(&[&received.raw])));
        let scope = format!("{}/eu-central-1/kms/aws4_request", &date[..8]);
        let message = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&sha256(&[canonical.as_bytes()])));
        let key = scope.split('/').fold(b"AWS4secret".to_vec(), |key, part| {
            let tag =
                aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key), part.as_bytes());
            tag.as_ref().to_vec()
        });
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let signature = hex(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref());
        if !received.header("authorization").ends_with(&format!("Signature={signature}")) {
            return (400, r#"{"__type":"InvalidSignatureException"}"#.into());
        }
        let of = |field: &str| BASE64_STANDARD.decode(ask[field].as_str().unwrap()).unwrap();
        let bound = ask["EncryptionContext"]["tenant"].as_str().unwrap().as_bytes().to_vec();
        match received.header("x-amz-target") {
            "TrentService.Encrypt" => {
                let blob = BASE64_STANDARD.encode([bound, of("Plaintext").into_iter().rev().collect()].concat());
                (200, format!(r#"{{"CiphertextBlob":"{blob}","KeyId":"{arn}","EncryptionAlgorithm":"X"}}"#))
            }
            "TrentService.Decrypt" => match of("CiphertextBlob").strip_prefix(bound.as_slice()) {
                Some(rest) => {
                    let plain = BASE64_STANDARD.encode(rest.iter().rev().copied().collect::<Vec<_>>());
                    (200, format!(r#"{{"KeyId":"{arn}","Plaintext":"{plain}"}}"#))
                }
                None => (400, r#"{"__type":"InvalidCiphertextException","Message":null}"#.into()),
            },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_root_goes_to_kms_and_comes_back_for_its_tenant_only() {
        let (url, served) = stub(3, kms);
        let (client, root) = (client(&url), Krk::generate().unwrap());
        let (arn, wrapped) = client.wrap(&root, &context("acme")).unwrap();
        assert_eq!(arn, "arn:aws:kms:eu-central-1:1:key/x");
        assert_eq!(client.unwrap(&wrapped, &context("acme")).unwrap().expose(), root.expose());
        let refused = client.unwrap(&wrapped, &context("evil")).unwrap_err();
        assert_eq!(refused, KekError::Refused("status 400 (InvalidCiphertextException)".into()));
        served.join().unwrap();
    }

    #[test]
    fn an_answer_of_another_service_is_refused() {
        for answer in ["{}", "[]", "hello", r#"{"Plaintext":"AAAA","KeyId":""}"#] {
            let (url, served) = stub(1, move |_| (200, answer.into()));
            assert!(client(&url).unwrap(b"x", &context("acme")).is_err(), "{answer}");
            served.join().unwrap();
        }
    }

    /// Against moto (`moto_server -p 5123`): `FIELDGATE_MOTO=http://127.0.0.1:5123 cargo test --features aws-kms --
    /// --ignored moto`.
    #[test]
    #[ignore = "needs a running moto server"]
    fn moto_wraps_and_unwraps() {
        let url = std::env::var("FIELDGATE_MOTO").expect("FIELDGATE_MOTO is the server's URL");
        let mut client = client(&url);
        client.key = std::env::var("FIELDGATE_MOTO_KEY").expect("FIELDGATE_MOTO_KEY is the id of a key");
        let root = Krk::generate().unwrap();
        let (_, wrapped) = client.wrap(&root, &context("acme")).unwrap();
        assert_eq!(client.unwrap(&wrapped, &context("acme")).unwrap().expose(), root.expose());
        assert!(matches!(client.unwrap(&wrapped, &context("evil")), Err(KekError::Refused(_))));
    }
}
