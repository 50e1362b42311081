//! What the module as a whole promises, as tests: one credential, one principal, and nothing of either in a text.

use std::sync::{Arc, LazyLock};

use serde_json::json;

use super::{
    Identity, IdentityError, KeySource, NewApiKey, new_api_key, own_headers,
    tests::{FORGE, ISSUER, NOW, OTHER, build, headers, mac, mistakes, peer, peer_with, with_issuer},
};
use crate::model::{Kind, Peer, Principal, Timestamp, Via};

const PEOPLE: &str = "
    [[principal]]
    id='anna'
    roles=['agent']
    [[principal]]
    id='tool:desk'
    kind='service'
    [[principal]]
    id='tool:bot'
    kind='ai'
    may_act_for=['anna']
";

const RULE: &str = "[identity.certificate]\nname='uri'\nprefix='spiffe://crm/'\nid_prefix='tool:'\n";

fn with_rule(more: &str) -> Identity {
    with_issuer(&format!("{RULE}{more}\n{PEOPLE}"))
}

fn with_key() -> (Identity, NewApiKey) {
    let made = new_api_key(&mac(), "k1").unwrap();
    let key = format!("[[identity.api_key]]\nid='k1'\nhash='{}'\nprincipal='anna'", made.hash);
    (with_issuer(&format!("{key}\n{PEOPLE}")), made)
}

fn call(identity: &Identity, peer: &Peer, lines: &[(&'static str, &str)]) -> Result<Arc<Principal>, IdentityError> {
    identity.identify(peer, &headers(lines), NOW)
}

#[test]
fn nothing_and_foreign_schemes_are_refused() {
    let identity = with_rule("");
    assert_eq!(call(&identity, &peer(), &[]), Err(IdentityError::Missing));
    assert_eq!(call(&identity, &peer(), &[("authorization", "Basic eDp5")]), Err(IdentityError::Scheme));
    let unruled = with_issuer("");
    assert_eq!(call(&unruled, &peer_with("spiffe://crm/desk"), &[]), Err(IdentityError::Missing));
    assert_eq!(call(&build(""), &peer(), &[]), Err(IdentityError::Missing), "nothing configured, nobody known");
}

#[test]
fn two_credentials_are_refused_whatever_they_are_worth() {
    let (identity, made) = with_key();
    let (token, key) = (format!("Bearer {}", FORGE.usual(json!({}))), made.key.expose());
    let bearer = ("authorization", token.as_str());
    assert!(identity.of(&[bearer]).is_ok() && identity.of(&[("fieldgate-key", key)]).is_ok());
    assert_eq!(identity.of(&[bearer, bearer]), Err(IdentityError::Several));
    assert_eq!(identity.of(&[bearer, ("authorization", "Bearer x")]), Err(IdentityError::Several));
    assert_eq!(identity.of(&[bearer, ("fieldgate-key", key)]), Err(IdentityError::Several));
    assert_eq!(identity.of(&[("fieldgate-key", key), ("fieldgate-key", key)]), Err(IdentityError::Several));
    let keys = [("authorization", format!("Bearer {key}")), ("fieldgate-key", key.clone())];
    let keys = keys.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(identity.of(&keys), Err(IdentityError::Several));
}

#[test]
fn a_certificate_names_its_principal_and_always_the_same_one() {
    let identity = with_rule("");
    let desk = peer_with("spiffe://crm/desk");
    let first = call(&identity, &desk, &[]).unwrap();
    assert_eq!((&*first.id, first.kind), ("tool:desk", Kind::Service));
    assert!(matches!(&first.via, Via::Certificate(name) if name.len() == 16));
    assert!(Arc::ptr_eq(&first, &call(&identity, &desk, &[]).unwrap()));
    let basic = call(&identity, &desk, &[("authorization", "Basic eDp5")]).unwrap();
    assert!(Arc::ptr_eq(&first, &basic), "what is meant for the CRM does not matter here");
    assert_eq!(call(&identity, &peer_with("spiffe://crm/new"), &[]), Err(IdentityError::NotListed));
    let late = NOW.plus_seconds(3601);
    assert_eq!(identity.identify(&desk, &headers(&[]), late), Err(IdentityError::CertificateExpired));
    let open = with_rule("listed_only=false");
    assert!(call(&open, &peer_with("spiffe://crm/new"), &[]).unwrap().roles.is_empty());
}

#[test]
fn an_agent_with_a_certificate_names_its_human() {
    let identity = with_rule("");
    let bot = peer_with("spiffe://crm/bot");
    assert_eq!(call(&identity, &bot, &[]), Err(IdentityError::NoHuman));
    let lines = [("fieldgate-on-behalf-of", "anna")];
    let principal = call(&identity, &bot, &lines).unwrap();
    assert_eq!(&*principal.on_behalf_of.as_ref().unwrap().id, "anna");
    assert!(Arc::ptr_eq(&principal, &call(&identity, &bot, &lines).unwrap()));
    assert_eq!(call(&identity, &bot, &[]), Err(IdentityError::NoHuman), "what is remembered is for that human only");
    assert_eq!(call(&identity, &bot, &[("fieldgate-on-behalf-of", "tool:desk")]), Err(IdentityError::WrongHuman));
}

#[test]
fn certificate_and_token_must_agree_unless_the_certificate_is_the_machines() {
    let bearer = |subject: &str| format!("Bearer {}", FORGE.usual(json!({ "sub": subject })));
    let of = |identity: &Identity, uri: &str, subject: &str| {
        call(identity, &peer_with(uri), &[("authorization", &bearer(subject))])
            .map(|principal| principal.id.to_string())
    };
    let strict = with_rule("");
    assert_eq!(of(&strict, "spiffe://crm/desk", "tool:desk").as_deref(), Ok("tool:desk"));
    assert_eq!(of(&strict, "spiffe://crm/desk", "anna"), Err(IdentityError::Disagree));
    assert_eq!(of(&strict, "https://other/", "anna").as_deref(), Ok("anna"), "a certificate that names nobody");
    let channel = with_rule("alongside='channel'");
    assert_eq!(of(&channel, "spiffe://crm/desk", "anna").as_deref(), Ok("anna"));
}

#[test]
fn a_token_is_verified_once_and_remembered() {
    let identity = with_issuer("");
    let (token, other) = (FORGE.usual(json!({})), FORGE.usual(json!({"jti": "2"})));
    let first = identity.of_token(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &identity.of_token(&token).unwrap()));
    assert!(!Arc::ptr_eq(&first, &identity.of_token(&other).unwrap()));
    assert_eq!((first.session.as_deref(), &first.via), (None, &Via::Jwt("id".into())));
}

#[test]
fn forgetting_under_pressure_changes_no_answer() {
    let identity = with_issuer("[identity]\nremembered=32");
    let tokens: Vec<_> = (0..200).map(|n| FORGE.usual(json!({ "sub": format!("caller-{n}") }))).collect();
    for round in 0..2 {
        for (n, token) in tokens.iter().enumerate() {
            assert_eq!(*identity.of_token(token).unwrap().id, format!("caller-{n}"), "round {round}");
        }
    }
    assert!(identity.remembered.len() <= 32, "the limit holds");
}

#[test]
fn roles_come_from_the_claims_that_the_settings_name() {
    let of = |settings: &str, claims| {
        let principal = with_issuer(settings).of_token(&FORGE.usual(claims)).unwrap();
        (principal.roles.iter().map(|role| role.to_string()).collect::<Vec<_>>(), principal.attributes.clone())
    };
    let nested = json!({"realm_access": {"roles": ["crm-agents", "other"]}, "https://x/site": "Berlin", "n": 7});
    let settings = "id_prefix='kc:'\nrole_map={crm-agents='agent'}\n[identity.jwt.claims]\nroles='/realm_access/roles'\n\
                    attributes={site='https://x/site', n='n', none='none'}";
    let (roles, attributes) = of(settings, nested);
    assert_eq!(roles, ["agent"], "roles that are not mapped are dropped");
    assert_eq!((attributes.len(), attributes["site"].as_str(), attributes["n"].as_str()), (2, "Berlin", "7"));
    assert_eq!(of("", json!({"roles": "supervisor agent agent"})).0, ["agent", "supervisor"]);
    assert_eq!(of("", json!({"roles": {"a": 1}})).0, Vec::<String>::new());
}

#[test]
fn issuers_cannot_name_principals_of_one_another() {
    let issuer =
        |name: &str, more: &str| format!("[[identity.jwt]]\nissuer='{name}'\naudience='x'\njwks_file='k'\n{more}\n");
    let two = |first: &str, second: &str| format!("{}{}", issuer("a", first), issuer("b", second));
    assert_eq!(mistakes(&two("", "")), ["identity.jwt.1.id_prefix"]);
    assert_eq!(mistakes(&two("", "id_prefix='b:'")), ["identity.jwt.1.id_prefix"]);
    assert_eq!(mistakes(&two("id_prefix='a'", "id_prefix='ab'")), ["identity.jwt.1.id_prefix"]);
    assert_eq!(mistakes(&two("shares_ids=true", "")), ["identity.jwt.1.id_prefix"]);
    build(&two("id_prefix='a:'", "id_prefix='b:'"));
    build(&two("shares_ids=true", "shares_ids=true"));
    assert_eq!(mistakes(&format!("{}{}", issuer("a", ""), issuer("a", ""))), ["identity.jwt.1.issuer"]);
}

#[test]
fn mistakes_of_an_issuer_are_named_by_their_keys() {
    let one = |lines: &str| mistakes(&format!("[[identity.jwt]]\n{lines}"));
    assert_eq!(one("issuer='a'\naudience='x'"), ["identity.jwt.0.issuer"]);
    assert_eq!(one("issuer=''\naudience=[]\njwks_file='k'"), ["identity.jwt.0.issuer", "identity.jwt.0.audience"]);
    assert_eq!(
        one("issuer='a'\naudience=['']\njwks_file='k'\nalgorithms=[]")[..2],
        ["identity.jwt.0.audience", "identity.jwt.0.algorithms"]
    );
    for url in ["http://id.example/", "ftp://id.example/", "/k", "https://user@id.example/", "http://[::2]/"] {
        assert_eq!(one(&format!("issuer='a'\naudience='x'\njwks_url='{url}'")), ["identity.jwt.0.jwks_url"], "{url}");
    }
    for url in ["https://id.example/k", "http://127.0.0.1:8080/k", "http://[::1]/k", "http://localhost/k"] {
        let identity = build(&format!("[[identity.jwt]]\nissuer='a'\naudience='x'\njwks_url='{url}'"));
        let source = KeySource { issuer: "a".into(), url: url.into(), refresh_seconds: 300 };
        assert_eq!(identity.key_sources(), [source]);
    }
    let number = |line: &str| one(&format!("issuer='a'\naudience='x'\njwks_file='k'\n{line}"));
    assert_eq!(number("refresh_seconds=9"), ["identity.jwt.0.refresh_seconds"]);
    assert_eq!(number("refresh_seconds=86401"), ["identity.jwt.0.refresh_seconds"]);
    assert_eq!(number("leeway_seconds=301"), ["identity.jwt.0.leeway_seconds"]);
    assert_eq!(mistakes("[identity]\nremembered=31"), ["identity.remembered"]);
    build("[identity]\nremembered=32");
    build("[[identity.jwt]]\nissuer='a'\naudience='x'\njwks_file='k'\nrefresh_seconds=10\nleeway_seconds=300");
}

#[test]
fn hmac_and_none_cannot_be_configured() {
    for name in ["none", "HS256", "HS512", "RS1", "rs256"] {
        let text = format!("[[jwt]]\nissuer='a'\naudience='x'\nalgorithms=['{name}']");
        assert!(toml::from_str::<super::Settings>(&text).is_err(), "{name}");
    }
    assert!(toml::from_str::<super::Settings>("[[jwt]]\nissuer='a'\naudience='x'\nunknown=1").is_err());
}

#[test]
fn own_headers_are_those_that_are_read() {
    let names: Vec<_> = own_headers().iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["fieldgate-key", "fieldgate-on-behalf-of"]);
}

/// Every way to fail, and to succeed, with a mark in every part that a caller or an issuer chooses.
#[test]
fn no_text_carries_a_byte_of_a_credential() {
    const MARK: &str = "CANARY7f3a";
    let (identity, made) = with_key();
    let secret = made.key.expose().rsplit_once('_').unwrap().1.to_owned();
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid });
    let claims = |extra| super::tests::claims(extra);
    let tokens = [
        FORGE.usual(json!({ "jti": MARK })),
        FORGE.usual(json!({ "iss": MARK })),
        FORGE.usual(json!({ "aud": MARK })),
        FORGE.usual(json!({ "exp": MARK })),
        FORGE.usual(json!({ "exp": 7, "jti": MARK })),
        FORGE.usual(json!({ "nbf": MARK })),
        FORGE.usual(json!({ "sub": {"a": MARK} })),
        FORGE.usual(json!({ "kind": MARK })),
        FORGE.usual(json!({ "on_behalf_of": MARK })),
        FORGE.usual(json!({ "act": MARK })),
        FORGE.usual(json!({ "cnf": MARK })),
        FORGE.token(header("EdDSA", MARK), &claims(json!({}))),
        FORGE.token(json!({"alg": "EdDSA", "typ": MARK}), &claims(json!({}))),
        FORGE.token(json!({"alg": MARK}), &claims(json!({}))),
        OTHER.usual(json!({ "jti": MARK })),
        MARK.to_owned(),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("fg_{MARK}_{MARK}"),
        format!("fg_k1_{MARK}"),
        MARK.repeat(2000),
    ];
    let mut texts = Vec::new();
    let mut refused = 0;
    for token in &tokens {
        for lines in [vec![("authorization", format!("Bearer {token}"))], vec![("fieldgate-key", token.clone())]] {
            let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
            match identity.of(&lines) {
                // The session id is part of the principal on purpose: records name it.
                Ok(principal) => texts.push(format!("{:?}", Principal { session: None, ..(*principal).clone() })),
                Err(error) => {
                    refused += 1;
                    texts.push(format!(
                        "{error} {error:?} {} {} {:?}",
                        error.code(),
                        error.detail(),
                        error.www_authenticate()
                    ));
                }
            }
        }
    }
    assert_eq!(refused, tokens.len() * 2 - 1, "only the first token, as a token, is good");
    let mut good = identity.of(&[("fieldgate-key", made.key.expose())]).unwrap();
    texts.push(format!("{good:?} {identity:?} {made:?} {:?}", identity.key_sources()));
    good = identity.of_token(&FORGE.usual(json!({}))).unwrap();
    texts.push(format!("{good:?}"));
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() >= 8);
    let marks: Vec<&str> = parts.chain([MARK, &secret, made.key.expose()]).collect();
    for text in &texts {
        for mark in &marks {
            assert!(!text.contains(mark), "a text shows a credential: {text}");
        }
        assert!(!text.contains(ISSUER), "a text tells which issuers there are: {text}");
    }
}

#[test]
fn every_error_says_what_to_do() {
    use IdentityError as E;
    let all = [
        E::Missing,
        E::Scheme,
        E::Several,
        E::Disagree,
        E::Malformed,
        E::TooLong,
        E::Algorithm,
        E::Type,
        E::Critical,
        E::Issuer,
        E::Key,
        E::KeysUnavailable,
        E::Signature,
        E::Audience,
        E::Expired,
        E::NotYetValid,
        E::Claims,
        E::Bound,
        E::ApiKey,
        E::ApiKeyExpired,
        E::CertificateName,
        E::CertificateNames,
        E::CertificateExpired,
        E::NotListed,
        E::Disabled,
        E::NoHuman,
        E::WrongHuman,
    ];
    for error in all {
        let (what, help) = error.detail().split_once("; ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(what.len() > 10 && help.len() > 10 && !error.code().is_empty(), "{error:?}");
        assert_eq!(error.status() == 401, error.www_authenticate().is_some() && error.status() != 400, "{error:?}");
        assert!([400, 401, 403, 503].contains(&error.status()), "{error:?}");
    }
}

#[test]
fn remembered_proofs_end_at_their_instant() {
    let made = new_api_key(&mac(), "k").unwrap();
    let identity = build(&format!(
        "[[identity.api_key]]\nid='k'\nhash='{}'\nprincipal='anna'\nexpires=2026-11-24\n{PEOPLE}",
        made.hash
    ));
    let lines = headers(&[("fieldgate-key", made.key.expose())]);
    let end = identity.identify(&peer(), &lines, NOW).unwrap().expires.unwrap();
    assert_eq!(end.to_string(), "2026-11-25T00:00:00.000000Z");
    assert!(identity.identify(&peer(), &lines, Timestamp::from_micros(end.micros() - 1)).is_ok());
    assert_eq!(identity.identify(&peer(), &lines, end), Err(IdentityError::ApiKeyExpired));
}

proptest::proptest! {
    #[test]
    fn no_bytes_in_the_headers_make_somebody_of_nobody(
        value in proptest::collection::vec(0x20_u8..=0xff, 0..200),
        header in "[{}\\[\\]\":,a-zA-Z0-9 ]{0,40}",
        claims in "[{}\\[\\]\":,a-zA-Z0-9 ]{0,80}",
    ) {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        static IDENTITY: LazyLock<Identity> = LazyLock::new(|| with_key().0);
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let good = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"ed"}"#);
        let text = |text: String| text.into_bytes();
        for bytes in [
            value.clone(),
            [b"Bearer ", value.as_slice()].concat(),
            text(format!("Bearer {header}.{claims}.{claims}")),
            text(format!("Bearer {good}.{claims}.{header}")),
        ] {
            for name in ["authorization", "fieldgate-key", "fieldgate-on-behalf-of"] {
                let Ok(value) = http::HeaderValue::from_bytes(&bytes) else { continue };
                let mut headers = http::HeaderMap::new();
                headers.insert(name, value);
                proptest::prop_assert!(IDENTITY.identify(&peer(), &headers, NOW).is_err());
            }
        }
    }
}
