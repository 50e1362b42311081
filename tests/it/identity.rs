//! Callers with tokens of an issuer whose keys come from a URL, through a running gateway.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use fieldgate::crypto::SigningKey;
use serde_json::{Value, json};

use crate::harness::{Client, Setup, World};

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// An issuer that answers until it goes down.
struct Issuer {
    key: SigningKey,
    port: u16,
    down: Arc<AtomicBool>,
}

impl Issuer {
    fn start() -> Self {
        let key = SigningKey::generate().unwrap();
        let x = BASE64.encode(key.verifying_key().0);
        let jwks =
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "alg": "EdDSA", "x": x}]})
                .to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, down) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let off = Arc::clone(&down);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if off.load(Ordering::Relaxed) {
                    continue;
                }
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{jwks}",
                    jwks.len()
                );
            }
        });
        Self { key, port, down }
    }

    fn world(&self) -> World {
        Setup::new()
            .append(&format!(
                "\n[[identity.jwt]]\nissuer = \"https://issuer.test\"\naudience = \"fieldgate\"\nalgorithms = [\"EdDSA\"]\n\
                 jwks_url = \"http://127.0.0.1:{}/jwks\"\nleeway_seconds = 0\n",
                self.port
            ))
            .start()
    }

    /// A token for an agent, with `claims` over the usual ones.
    fn token(&self, header: &Value, claims: &Value) -> String {
        let now = fieldgate::gateway::now().seconds();
        let mut all = json!({"iss": "https://issuer.test", "aud": "fieldgate", "sub": "jane", "roles": ["agent"], "exp": now + 600});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let input = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(all.to_string()));
        format!("{input}.{}", BASE64.encode(self.key.sign(input.as_bytes())))
    }
}

fn bearer(world: &World, token: &str) -> Client {
    world.stranger().with("authorization", &format!("Bearer {token}"))
}

#[test]
fn tokens_are_good_with_the_issuer_up_and_down_and_bad_ones_are_not() {
    let issuer = Issuer::start();
    let world = issuer.world();
    let header = json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"});
    let good = issuer.token(&header, &json!({}));
    let until = Instant::now() + Duration::from_secs(15);
    let mut answer = bearer(&world, &good).get(CUSTOMER);
    while answer.status != 200 && Instant::now() < until {
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after").is_empty()),
            (503, false),
            "{}",
            answer.text()
        );
        std::thread::sleep(Duration::from_millis(50));
        answer = bearer(&world, &good).get(CUSTOMER);
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["email"].as_str().unwrap().contains('•'), "an agent's view");

    issuer.down.store(true, Ordering::Relaxed);
    world.gateway().reload().unwrap();
    let another = issuer.token(&header, &json!({"sub": "joe"}));
    assert_eq!(bearer(&world, &another).get(CUSTOMER).status, 200, "the keys outlive the issuer and a reload");

    let past = fieldgate::gateway::now().seconds() - 60;
    for (what, token) in [
        ("expired", issuer.token(&header, &json!({"exp": past}))),
        ("another audience", issuer.token(&header, &json!({"aud": "elsewhere"}))),
        ("another issuer", issuer.token(&header, &json!({"iss": "https://other.test"}))),
        ("no algorithm", issuer.token(&json!({"alg": "none", "kid": "k1"}), &json!({}))),
        ("an unknown key", issuer.token(&json!({"alg": "EdDSA", "kid": "k2"}), &json!({}))),
        (
            "a signature of something else",
            format!("{}{}", &good[..good.rfind('.').unwrap()], &another[another.rfind('.').unwrap()..]),
        ),
        ("another key", Issuer::start().token(&header, &json!({}))),
    ] {
        let answer = bearer(&world, &token).get(CUSTOMER);
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert!(!answer.text().contains(&token), "{what}");
    }
    let both = world.agent().with("authorization", &format!("Bearer {good}")).get(CUSTOMER);
    assert_eq!((both.status.as_u16(), both.code().as_str()), (400, "several_credentials"));
}
