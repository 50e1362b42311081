//! The queries of a request: what they look for in protected fields is answered with its stored forms, so that a filter finds
//! what it would find if nothing were hidden, or the request is refused. Never an empty or a wrong page.

use http::StatusCode;

use super::{
    exchange::Stage,
    respond::Refusal,
    snapshot::{Snapshot, Spellings},
    stored::unavailable,
};
use crate::{
    crm::{
        Matched,
        search::{Ask, Pattern, SearchError, SearchPlace, SearchRule},
    },
    crypto::SealError,
    model::{Class, ClassId, ClassSet, Mode, Phase, Sensitive, TokenShape},
    protect::{self, Store, Stored},
    rewrite,
    vault::{TokenState, Vault},
};

/// A part of a request whose queries were answered.
#[derive(Debug)]
pub(super) struct Searched {
    /// The target, or the body.
    pub(super) text: String,
    /// The classes that were looked for.
    pub(super) classes: ClassSet,
    /// What was looked for, in clear and in stored form: an error body must not echo it.
    pub(super) known: Vec<Sensitive<String>>,
}

/// The request target with every query of it answered.
pub(super) async fn target(snapshot: &Snapshot, matched: &Matched) -> Stage<Searched> {
    let search = matched.search().map_err(|error| refused(&error))?;
    if search.asks().is_empty() {
        let target = matched.target.clone();
        return Ok(Searched { text: target, classes: ClassSet::EMPTY, known: Vec::new() });
    }
    let answers = answers(snapshot, search.asks()).await?;
    let text = search.rewritten(&answers).map_err(|error| refused(&error))?;
    Ok(searched(text, search.asks(), answers))
}

/// The rule of a route whose body is a query.
pub(super) fn body_rule(matched: &Matched) -> Option<&SearchRule> {
    matched.route.search.iter().find(|rule| rule.place == SearchPlace::Body)
}

/// The body that `rule` describes, answered.
pub(super) async fn body(snapshot: &Snapshot, rule: &SearchRule, body: &[u8]) -> Stage<Searched> {
    let text = std::str::from_utf8(body)
        .map_err(|error| refused(&SearchError::Syntax { at: error.valid_up_to(), what: "the body is UTF-8" }))?;
    let query = rule.parse(text).map_err(|error| refused(&error))?;
    let answers = answers(snapshot, query.asks()).await?;
    let text = query.rewrite(&answers).map_err(|error| refused(&error))?;
    Ok(searched(text, query.asks(), answers))
}

fn searched(text: String, asks: &[Ask], answers: Vec<Vec<Pattern>>) -> Searched {
    let classes = asks.iter().map(|ask| ask.class).collect();
    let mut known: Vec<Sensitive<String>> = asks.iter().map(|ask| ask.value.clone()).collect();
    known.extend(answers.into_iter().flatten().map(|pattern| match pattern {
        Pattern::Equals(text) | Pattern::StartsWith(text) => Sensitive::new(text),
    }));
    Searched { text, classes, known }
}

async fn answers(snapshot: &Snapshot, asks: &[Ask]) -> Stage<Vec<Vec<Pattern>>> {
    let mut answers = Vec::with_capacity(asks.len());
    for ask in asks {
        answers.push(answer(snapshot, ask).await?);
    }
    Ok(answers)
}

/// Every form in which the CRM may hold the value: of each living generation of keys, and in clear while that is expected.
async fn answer(snapshot: &Snapshot, ask: &Ask) -> Stage<Vec<Pattern>> {
    let clear = || Pattern::Equals(ask.value.expose().clone());
    if protect::is_stand_in(ask.value.expose()) {
        let detail = "the query carries a masked value; search with the value itself or by another field";
        return Err(Box::new(Refusal::new("masked_value", StatusCode::CONFLICT, detail)));
    }
    let (store, vault) = match snapshot.storing() {
        Some((store, vault)) => (store, vault),
        None => return Ok(vec![clear()]),
    };
    let Some(class) = snapshot.classes.get(ask.class) else { return Ok(vec![clear()]) };
    if store.keys().token_is_of(&class.name, ask.value.expose()) {
        // The CRM's links to further pages repeat the query as it was sent there.
        return Ok(vec![clear()]);
    }
    if known_token(vault, store, class, ask).await? {
        return Ok(vec![clear()]);
    }
    if store.recognise(ask.value.expose()).is_some() {
        let detail = "the query carries a stored form; search with the value itself";
        return Err(Box::new(Refusal::new("injected_value", StatusCode::UNPROCESSABLE_ENTITY, detail)));
    }
    if !class.storage.is_protected() {
        return words(snapshot, store, vault, ask).await;
    }
    let mut patterns = stored(store, vault, class, ask, snapshot.spellings(ask.class)).await?;
    if class.storage.phase == Phase::Mixed {
        patterns.push(clear());
    }
    if patterns.is_empty() {
        // Nobody ever stored it: a token that nobody has finds nothing, whatever the rest of the query says.
        let shape = match class.storage.mode {
            Mode::Token(shape) => shape,
            _ => TokenShape::Opaque,
        };
        let token = store.keys().mint_token(&class.name, shape, store.token_domain());
        patterns.push(Pattern::Equals(token.map_err(|error| {
            tracing::error!(error = %error, "no token for a value that is not stored");
            no_key()
        })?));
    }
    Ok(patterns)
}

/// Whether the value is a token of `class` from before its token key was retired: tokens outlive their key, in the
/// CRM's links as well, and the vault knows them all.
async fn known_token(vault: &Vault, store: &Store, class: &Class, ask: &Ask) -> Stage<bool> {
    let text = ask.value.expose();
    if !matches!(store.recognise(text), Some(Stored::Token)) {
        return Ok(false);
    }
    let state = vault.open_tokens(&[text]).await.map_err(|error| unavailable(&error))?;
    Ok(state.iter().any(|state| matches!(state, TokenState::Value { class: of, .. } if **of == *class.name)))
}

/// Words that are looked for in fields of any class: an address among them is not found as itself where addresses are stored
/// in another form. Alone it is looked for in that form; with other words the request is refused.
async fn words(snapshot: &Snapshot, store: &Store, vault: &Vault, ask: &Ask) -> Stage<Vec<Pattern>> {
    let text = ask.value.expose();
    let found = hidden_words(snapshot, text);
    let Some(first) = found.iter().next() else { return Ok(vec![Pattern::Equals(text.clone())]) };
    let whole = rewrite::is_one_finding(&snapshot.tools, text);
    match snapshot.classes.get(first) {
        Some(class) if whole && matches!(class.storage.mode, Mode::Token(_) | Mode::Det) => {
            let ask = Ask { class: first, value: ask.value.clone() };
            let mut patterns = stored(store, vault, class, &ask, snapshot.spellings(first)).await?;
            if class.storage.phase == Phase::Mixed || patterns.is_empty() {
                patterns.push(Pattern::Equals(text.clone()));
            }
            Ok(patterns)
        }
        _ => Err(unfindable()),
    }
}

/// The classes not stored in clear of which `text` holds something.
fn hidden_words(snapshot: &Snapshot, text: &str) -> ClassSet {
    let stored = |class: &ClassId| snapshot.classes.get(*class).is_some_and(|class| class.storage.is_protected());
    rewrite::classes_in(&snapshot.tools, text).iter().filter(stored).collect()
}

/// Refuses a query in a body of plain fields that looks for what is not stored in clear.
pub(super) fn plain(snapshot: &Snapshot, known: &[Sensitive<String>]) -> Stage<()> {
    let hidden = |value: &Sensitive<String>| !hidden_words(snapshot, value.expose()).is_empty();
    if snapshot.storing().is_some() && known.iter().any(hidden) { Err(unfindable()) } else { Ok(()) }
}

fn unfindable() -> Box<Refusal> {
    let detail = "the search words hold a value that the CRM does not store in clear; search by its own field";
    Box::new(Refusal::new("unsupported_on_protected", StatusCode::UNPROCESSABLE_ENTITY, detail))
}

async fn stored(store: &Store, vault: &Vault, class: &Class, ask: &Ask, spellings: Spellings) -> Stage<Vec<Pattern>> {
    let normalised = store.normalised(class, ask.value.expose());
    let forms = match class.storage.mode {
        Mode::Clear | Mode::Seal(_) => Ok::<_, SealError>(Vec::new()),
        Mode::Token(_) => {
            let found = vault.find_tokens(&[(&class.name, normalised.expose())]).await;
            let tokens = found.map_err(|error| unavailable(&error))?.into_iter().flatten();
            return Ok(tokens.map(Pattern::Equals).collect());
        }
        Mode::SealIndexed => spellings.each(|spelling| {
            let prefixes = store.keys().indexes(&class.name, normalised.expose(), spelling)?;
            Ok(prefixes.into_iter().map(Pattern::StartsWith).collect())
        }),
        Mode::Det => spellings.each(|spelling| {
            let forms = store.keys().det(&class.name, normalised.expose(), spelling)?;
            Ok(forms.into_iter().map(Pattern::Equals).collect())
        }),
    };
    forms.map_err(|error| {
        tracing::error!(error = %error, "a value cannot be looked for");
        no_key()
    })
}

fn no_key() -> Box<Refusal> {
    let detail = "no key is active for a class of this query, so nothing was searched; tell the gateway's operator";
    Box::new(Refusal::new("no_active_key", StatusCode::SERVICE_UNAVAILABLE, detail))
}

fn refused(error: &SearchError) -> Box<Refusal> {
    Box::new(Refusal::new(error.code(), error.status(), error.to_string()))
}
