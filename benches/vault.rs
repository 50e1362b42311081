//! Look-ups in a vault of FIELDGATE_VAULT_ROWS tokens (20,000 by default): the time of each, and how long the vault
//! takes to fill and to open. The store lies in the target folder, so the figures are those of its disk.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

use std::{
    future::Future,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use fieldgate::{
    crypto::{ClassPlan, Kek, KeyFile, Keyset, Krk, SigningKey},
    model::{Mode, Normaliser, Storage, Timestamp, TokenShape},
    vault::{Settings, TokenAsk, Vault},
};

const CLASS: &str = "email";
/// Tokens of one transaction while filling.
const BATCH: usize = 20_000;
/// People who hold the tokens, five each at most.
const TOKENS_PER_PERSON: usize = 5;
const SAMPLES: usize = 200_000;

fn key_file() -> KeyFile {
    let storage = Storage { mode: Mode::Token(TokenShape::Email), normaliser: Normaliser::Email, ..Storage::CLEAR };
    let kek = Kek { provider: "file".into(), uri: String::new(), context: [].into() };
    let root = Krk::generate().expect("randomness");
    KeyFile::new("bench", &[ClassPlan { class: CLASS, storage }], kek, vec![1], root, Timestamp::default())
        .expect("keys")
}

fn keyset(file: &KeyFile) -> Arc<Keyset> {
    file.open().expect("keys").into()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn text(index: usize) -> String {
    format!("customer.{index}@mail{}.example.com", index % 977)
}

/// Fills the vault; returns some of its tokens.
fn fill(vault: &Vault, rows: usize) -> Vec<(usize, String)> {
    let every = rows.div_ceil(100_000).max(1);
    let mut kept = Vec::new();
    let started = Instant::now();
    for start in (0..rows).step_by(BATCH) {
        let end = (start + BATCH).min(rows);
        let people = block(vault.mint_subjects((end - start).div_ceil(TOKENS_PER_PERSON))).expect("subjects");
        let ids: Vec<_> = (0..people.len()).map(|index| format!("C-{}", start + index)).collect();
        let links: Vec<_> =
            people.iter().zip(&ids).map(|(key, id)| (key.reference(), "contact", id.as_str())).collect();
        block(vault.link(&links)).expect("links");
        let texts: Vec<_> = (start..end).map(text).collect();
        let asks: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| TokenAsk {
                class: CLASS,
                text,
                normalised: text,
                shape: TokenShape::Email,
                subject: people.get(index / TOKENS_PER_PERSON).map(|key| key.reference()),
            })
            .collect();
        let tokens = block(vault.tokens(&asks)).expect("tokens");
        kept.extend((start..end).zip(tokens).filter(|(index, _)| index % every == 0));
        if end.is_multiple_of(BATCH * 25) {
            eprintln!("{end} tokens after {:.0?}", started.elapsed());
        }
    }
    println!("fill      {rows} tokens in {:.1?}", started.elapsed());
    kept
}

fn measure(name: &str, samples: usize, mut one: impl FnMut(usize)) {
    (0..samples / 2).for_each(&mut one);
    let mut times: Vec<Duration> = (0..samples)
        .map(|sample| {
            let started = Instant::now();
            one(sample);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!("{name:<9} p50 {:.1?}  p99 {:.1?}  p99.9 {:.1?}", at(0.5), at(0.99), at(0.999));
}

fn main() {
    let rows = std::env::var("FIELDGATE_VAULT_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vault-bench-{}", std::process::id()));
    let mut file = key_file();
    let domain = Some("fg.example.com".to_owned());
    let settings = Settings { token_domain: domain, cache_mib: 4_096, ..Settings::embedded(&dir) };
    Vault::init(&settings, keyset(&file)).expect("a new vault");
    let vault = Vault::open(&settings, keyset(&file)).expect("an open vault");
    let kept = fill(&vault, rows);
    drop(vault);
    let started = Instant::now();
    let vault = Vault::open(&settings, keyset(&file)).expect("an open vault");
    println!("open      {:.1?}", started.elapsed());
    let bytes = block(vault.stats()).expect("stats").bytes;
    println!("file      {:.0} MB, {:.0} bytes a token", bytes as f64 / 1e6, bytes as f64 / rows as f64);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let some = |sample: usize| kept.get(sample.wrapping_mul(7_919) % kept.len()).expect("a token");
    measure("open one", SAMPLES, |sample| {
        let states = runtime.block_on(vault.open_tokens(&[some(sample).1.as_str()])).expect("a look-up");
        assert_eq!(states.len(), 1);
    });
    measure("find one", SAMPLES, |sample| {
        let (index, token) = some(sample);
        let found = runtime.block_on(vault.find_tokens(&[(CLASS, text(*index).as_str())])).expect("a look-up");
        assert_eq!(found.first().and_then(|tokens| tokens.first()), Some(token));
    });
    measure("page 100", SAMPLES / 20, |sample| {
        let tokens: Vec<_> = (0..100).map(|next| some(sample + next).1.as_str()).collect();
        assert_eq!(runtime.block_on(vault.open_tokens(&tokens)).expect("a look-up").len(), 100);
    });
    file.roll_subject_wrap(Timestamp::default()).expect("a key");
    block(vault.with_keyset(keyset(&file))).expect("a newer keyset");
    let started = Instant::now();
    let signer = SigningKey::generate().expect("a key").into();
    let erased = block(vault.erase(&[("contact", "C-0")], signer, Timestamp::default())).expect("an erasure");
    println!("erase     {} tokens in {:.1?}", erased.receipt.erasure.tokens, started.elapsed());
    drop(vault);
    std::fs::remove_dir_all(&dir).expect("an empty target folder");
}
