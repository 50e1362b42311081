//! Tokens: one per display text, found by value through rotations, bounded.

use super::*;

fn phone<'a>(text: &'a str, normalised: &'a str) -> TokenAsk<'a> {
    TokenAsk { class: "phone", text, normalised, shape: TokenShape::Phone, subject: None }
}

#[test]
fn a_text_has_one_token_and_equal_values_are_found_together() {
    let world = World::new();
    let vault = world.open();
    let asks = [phone("+49 30 123", "+4930123"), phone("030/123", "+4930123"), phone("+49 30 123", "+4930123")];
    let minted = block(vault.tokens(&asks)).unwrap();
    assert_eq!(minted[0], minted[2]);
    assert_ne!(minted[0], minted[1]);
    assert_eq!(block(vault.tokens(&asks)).unwrap(), minted);
    let mut found = block(vault.find_tokens(&[("phone", "+4930123"), ("email", "+4930123"), ("phone", "+1")])).unwrap();
    found[0].sort();
    let mut expected = minted[..2].to_vec();
    expected.sort();
    assert_eq!(found, [expected, vec![], vec![]]);
    let opened = block(vault.open_tokens(&[&minted[1], "+999000000000000"])).unwrap();
    assert_eq!(value(&opened[0]), "030/123");
    assert!(
        matches!(&opened[0], TokenState::Value { class, holders, .. } if &**class == "phone" && holders.is_empty())
    );
    assert!(matches!(opened[1], TokenState::Unknown));
}

#[test]
fn a_token_opens_whatever_the_crm_did_to_its_case_and_domain() {
    let world = World::new();
    let vault = world.open();
    let token = block(vault.tokens(&[email("Ada@Example.com", None)])).unwrap().remove(0);
    assert!(token.ends_with("@fg.example.com"));
    let moved = token.replace("fg.example.com", "older.example.org");
    for spelling in [token.to_uppercase(), moved] {
        assert_eq!(value(&block(vault.open_tokens(&[&spelling])).unwrap()[0]), "Ada@Example.com");
    }
}

#[test]
fn email_tokens_need_a_domain() {
    let world = World::new();
    let settings = Settings { token_domain: None, ..world.settings() };
    let vault = Vault::open(&settings, world.keyset()).unwrap();
    let refused = block(vault.tokens(&[email("a@b.example", None)]));
    assert!(matches!(refused, Err(VaultError::NoTokenDomain)), "{refused:?}");
    assert_eq!(block(vault.tokens(&[phone("1", "1")])).unwrap().len(), 1);
}

#[test]
fn spellings_are_bounded_so_that_a_search_misses_none() {
    let world = World::new();
    let vault = world.open();
    let texts: Vec<_> = (0..=MAX_SPELLINGS).map(|index| format!("{}1", " ".repeat(index))).collect();
    let asks: Vec<_> = texts.iter().map(|text| phone(text, "1")).collect();
    block(vault.tokens(&asks[..MAX_SPELLINGS])).unwrap();
    let past = block(vault.tokens(&asks[MAX_SPELLINGS..]));
    assert!(matches!(past, Err(VaultError::TooManySpellings(MAX_SPELLINGS))), "{past:?}");
    assert_eq!(block(vault.find_tokens(&[("phone", "1")])).unwrap()[0].len(), MAX_SPELLINGS);
}

#[test]
fn texts_are_bounded() {
    let world = World::new();
    let vault = world.open();
    let text = "9".repeat(MAX_TEXT_BYTES);
    let token = block(vault.tokens(&[phone(&text, "9")])).unwrap().remove(0);
    assert_eq!(value(&block(vault.open_tokens(&[&token])).unwrap()[0]), text);
    let past = block(vault.tokens(&[phone(&format!("{text}9"), "9")]));
    assert!(matches!(past, Err(VaultError::TooLong { bytes, .. }) if bytes == MAX_TEXT_BYTES + 1), "{past:?}");
}

#[test]
fn holders_are_those_who_asked() {
    let world = World::new();
    let vault = world.open();
    let (ada, bob) = (person(&vault, "1"), person(&vault, "2"));
    let token = block(vault.tokens(&[email("shared@x.example", Some(ada))])).unwrap().remove(0);
    assert_eq!(block(vault.tokens(&[email("shared@x.example", Some(bob))])).unwrap(), [token.as_str()]);
    let opened = block(vault.open_tokens(&[&token])).unwrap();
    let TokenState::Value { holders, .. } = &opened[0] else { panic!("{opened:?}") };
    assert!(holders.len() == 2 && holders.contains(&ada) && holders.contains(&bob));
    let asks = [(token.as_str(), ada), (token.as_str(), SubjectRef([3; 8])), ("fg1tnone", ada)];
    assert_eq!(block(vault.holds(&asks)).unwrap(), [true, false, false]);
    let stranger = block(vault.tokens(&[email("new@x.example", Some(SubjectRef([3; 8])))]));
    assert!(matches!(stranger, Err(VaultError::SubjectUnknown)), "{stranger:?}");
}

#[test]
fn callers_who_ask_at_once_get_one_token() {
    let world = World::new();
    let vault = world.open();
    let texts: Vec<_> = (0..40).map(|index| format!("user{}@x.example", index % 10)).collect();
    let answers: Vec<Vec<String>> = std::thread::scope(|scope| {
        let ask = || block(vault.tokens(&texts.iter().map(|text| email(text, None)).collect::<Vec<_>>())).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(answers[0].iter().collect::<std::collections::BTreeSet<_>>().len(), 10);
    assert_eq!(block(vault.stats()).unwrap().tokens, 10);
}

#[test]
fn values_are_found_before_while_and_after_a_new_look_up_key_is_taken_into_use() {
    let mut world = World::new();
    let vault = world.open();
    let texts: Vec<_> = (0..REINDEX_PAGE + 5).map(|index| format!("+49{index}")).collect();
    let asks: Vec<_> = texts.iter().map(|text| phone(text, text)).collect();
    let tokens = block(vault.tokens(&asks)).unwrap();
    rotate_tokens(&mut world.file, "phone");
    block(vault.with_keyset(world.keyset())).unwrap();
    assert_eq!(block(vault.tokens(&asks[..9])).unwrap(), tokens[..9]);
    let found = |vault: &Vault| block(vault.find_tokens(&[("phone", texts[7].as_str())])).unwrap().remove(0);
    assert_eq!(found(&vault), [tokens[7].as_str()]);
    assert_eq!(block(vault.reindex_tokens()).unwrap(), texts.len() as u64);
    assert_eq!(block(vault.reindex_tokens()).unwrap(), 0);
    assert_eq!(found(&vault), [tokens[7].as_str()]);
    let old = world.file.keys().find(|key| &*key.class == "phone" && key.state == KeyState::Retiring).unwrap().id;
    world.file.disable(old, now()).unwrap();
    block(vault.with_keyset(world.keyset())).unwrap();
    assert_eq!(found(&vault), [tokens[7].as_str()]);
    assert_eq!(block(vault.tokens(&asks)).unwrap(), tokens);
}
