//! Time until it is known who calls: a token seen before, one that is new, and an API key.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

use std::{hint::black_box, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use fieldgate::{
    crypto::{MacKey, Purpose, RootKey, SigningKey},
    identity::{Identity, PrincipalSettings, Settings, new_api_key},
    model::{ClientAuth, NoCertificate, Peer, Protocol, Timestamp},
};
use http::{HeaderMap, HeaderName, HeaderValue};

const NOW: Timestamp = Timestamp::from_seconds(1_795_511_642);

/// More than are remembered, so that in turn none is.
const TOKENS: usize = 512;

#[derive(serde::Deserialize)]
struct File {
    identity: Settings,
    principal: Vec<PrincipalSettings>,
}

/// One issuer whose Ed25519 key is `jwks`, one API key, and the agent both lead to.
fn identity(api_keys: MacKey, hash: &str, jwks: &str) -> Identity {
    let text = format!(
        "identity.remembered = 32\n\
         [[identity.jwt]]\nissuer = 'https://id.example/'\naudience = 'fieldgate'\njwks_file = 'k'\n\
         [[identity.api_key]]\nid = 'k1'\nhash = '{hash}'\nprincipal = 'anna'\n\
         [[principal]]\nid = 'anna'\nroles = ['agent']\n"
    );
    let file: File = toml::from_str(&text).expect("a configuration");
    let mut files = |_: &Path| Ok(jwks.as_bytes().to_vec());
    Identity::new(&file.identity, &file.principal, api_keys, &mut files).expect("nothing is wrong with it")
}

fn token(key: &SigningKey, id: usize) -> String {
    let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = format!(
        r#"{{"iss":"https://id.example/","aud":"fieldgate","sub":"anna","jti":"{id}","exp":{},"roles":["agent"]}}"#,
        NOW.seconds() + 600
    );
    let message = format!("{}.{}", encode(br#"{"alg":"EdDSA","kid":"ed"}"#), encode(claims.as_bytes()));
    format!("{message}.{}", encode(&key.sign(message.as_bytes())))
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    [(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))].into_iter().collect()
}

fn callers(criterion: &mut Criterion) {
    let root = RootKey::generate().expect("a key");
    let mac = || root.derive(Purpose::ApiKey, "").expect("a key");
    let made = new_api_key(&mac(), "k1").expect("an API key");
    let signing = SigningKey::generate().expect("a key");
    let public = BASE64_URL_SAFE_NO_PAD.encode(signing.verifying_key().0);
    let jwks = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{public}"}}]}}"#);
    let identity = identity(mac(), &made.hash, &jwks);
    let peer = Peer {
        address: ([192, 0, 2, 7], 4711).into(),
        listener: "main".into(),
        sni: None,
        tls_version: "1.3",
        protocol: Protocol::Http2,
        client_auth: ClientAuth::None(NoCertificate::NotAsked),
    };
    let call = |headers: &HeaderMap| identity.identify(&peer, headers, NOW).expect("anna");
    let bearer = |id| header("authorization", &format!("Bearer {}", token(&signing, id)));
    let mut group = criterion.benchmark_group("identity");
    for (name, headers) in
        [("remembered-jwt", bearer(0)), ("remembered-api-key", header("fieldgate-key", made.key.expose()))]
    {
        group.bench_function(name, |bencher| bencher.iter(|| call(black_box(&headers))));
    }
    let tokens: Vec<HeaderMap> = (0..TOKENS).map(bearer).collect();
    let mut next = tokens.iter().cycle();
    group.bench_function("new-jwt-ed25519", |bencher| bencher.iter(|| next.next().map(call)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = callers
}
criterion_main!(benches);
