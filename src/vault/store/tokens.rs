//! Tokens: minted once per display text, found by their value, opened by name.

use redb::ReadableTable;

use super::{
    super::{
        HOLDERS_SHOWN, MAX_SPELLINGS, MINT_TRIES, NOBODY, OwnedAsk, TokenAsk, TokenState, VaultError,
        keys::{Keys, TokenHash},
        row::Row,
    },
    Access, Store, Stored, live, stored,
    subjects::KeyState,
    tables::{Kind, Tables, Writing, joined},
};
use crate::model::SubjectRef;

impl Store {
    pub(in super::super) async fn tokens(&self, keys: &Keys, asks: &[TokenAsk<'_>]) -> Result<Vec<String>, VaultError> {
        let access = self.access(keys);
        let mut found = {
            let tables = self.snapshot()?;
            asks.iter().map(|ask| access.find_held(&tables, ask)).collect::<Result<Vec<_>, _>>()?
        };
        let missing: Vec<_> =
            asks.iter().zip(&found).filter(|(_, token)| token.is_none()).map(|(ask, _)| ask.owned()).collect();
        if !missing.is_empty() {
            let work = move |tables: &mut Tables<Writing<'_>>| {
                missing.iter().map(|ask| access.find_or_mint(tables, ask)).collect::<Result<Vec<_>, _>>()
            };
            let mut minted = self.writer.write(work).await?.into_iter();
            found.iter_mut().filter(|token| token.is_none()).for_each(|token| *token = minted.next());
        }
        Ok(found.into_iter().flatten().collect())
    }

    pub(in super::super) async fn find_tokens(
        &self,
        keys: &Keys,
        values: &[(&str, &str)],
    ) -> Result<Vec<Vec<String>>, VaultError> {
        let (tables, access) = (self.snapshot()?, self.access(keys));
        let tokens = |(class, normalised): &(&str, &str)| {
            let rows = access.spellings(&tables, class, normalised)?;
            Ok(rows.into_iter().map(|(_, row)| row.token).collect())
        };
        values.iter().map(tokens).collect()
    }

    pub(in super::super) async fn open_tokens(
        &self,
        keys: &Keys,
        tokens: &[&str],
    ) -> Result<Vec<TokenState>, VaultError> {
        let (tables, access) = (self.snapshot()?, self.access(keys));
        let open = |token: &&str| {
            let name = self.hashes.token(token);
            match access.token(&tables, &name)? {
                Known::Unknown => Ok(TokenState::Unknown),
                Known::Erased => Ok(TokenState::Erased),
                Known::Row(row) => {
                    let mut holders = tables.holders(&name, HOLDERS_SHOWN)?;
                    holders.retain(|holder| *holder != NOBODY);
                    Ok(TokenState::Value { class: row.class, text: row.text, holders })
                }
            }
        };
        tokens.iter().map(open).collect()
    }

    pub(in super::super) async fn holds(&self, asks: &[(&str, SubjectRef)]) -> Result<Vec<bool>, VaultError> {
        let tables = self.snapshot()?;
        asks.iter().map(|(token, subject)| tables.holds(&self.hashes.token(token), *subject)).collect()
    }
}

/// What the store has of a token.
pub(super) enum Known {
    Row(Row),
    Erased,
    Unknown,
}

impl Access {
    pub(super) fn token<A: Kind>(&self, tables: &Tables<A>, name: &TokenHash) -> Result<Known, VaultError> {
        let Some(bytes) = tables.tokens.get(name)? else { return Ok(Known::Unknown) };
        match stored(bytes.value())? {
            Stored::Erased => Ok(Known::Erased),
            Stored::Live(sealed) => Ok(Known::Row(Row::decode(&self.shelf(tables, name)?.take(name, sealed)?)?)),
        }
    }

    /// The rows of a normalised value, under every living generation of the look-up key.
    fn spellings<A: Kind>(
        &self,
        tables: &Tables<A>,
        class: &str,
        normalised: &str,
    ) -> Result<Vec<(TokenHash, Row)>, VaultError> {
        let mut rows = Vec::new();
        for lookup in self.keys.lookups(class, normalised)? {
            for name in tables.found(&lookup)? {
                match self.token(tables, &name)? {
                    Known::Row(row) => rows.push((name, row)),
                    // A look-up hash never outlives its row.
                    Known::Erased | Known::Unknown => return Err(VaultError::Tampered),
                }
            }
        }
        Ok(rows)
    }

    fn find_held<A: Kind>(&self, tables: &Tables<A>, ask: &TokenAsk<'_>) -> Result<Option<String>, VaultError> {
        ask.check()?;
        let rows = self.spellings(tables, ask.class, ask.normalised)?;
        let Some((name, row)) = rows.into_iter().find(|(_, row)| ask.is(row)) else { return Ok(None) };
        let held = tables.holds(&name, ask.subject.unwrap_or(NOBODY))?;
        Ok(held.then_some(row.token))
    }

    fn find_or_mint(&self, tables: &mut Tables<Writing<'_>>, ask: &OwnedAsk) -> Result<String, VaultError> {
        if let Some(subject) = ask.subject {
            match self.key_of(tables, subject)? {
                KeyState::Live(_) => {}
                KeyState::Erased => return Err(VaultError::SubjectErased),
                KeyState::Unknown => return Err(VaultError::SubjectUnknown),
            }
        }
        let rows = self.spellings(tables, &ask.class, ask.normalised.expose())?;
        let spellings = rows.len();
        let (name, token) = match rows.into_iter().find(|(_, row)| ask.borrow().is(row)) {
            Some((name, row)) => (name, row.token),
            None if spellings >= MAX_SPELLINGS => return Err(VaultError::TooManySpellings(spellings)),
            None => self.mint(tables, ask)?,
        };
        let holder = ask.subject.unwrap_or(NOBODY).0;
        tables.holders.insert(&joined(&name, &holder), ())?;
        tables.held.insert(&joined(&holder, &name), ())?;
        Ok(token)
    }

    fn mint(&self, tables: &mut Tables<Writing<'_>>, ask: &OwnedAsk) -> Result<(TokenHash, String), VaultError> {
        let lookup = self.keys.lookups(&ask.class, ask.normalised.expose())?;
        let lookup = *lookup.first().ok_or(VaultError::KeysetMismatch)?;
        for _ in 0..MINT_TRIES {
            let token = self.keys.mint(&ask.class, ask.shape)?;
            let name = self.hashes.token(&token);
            // A name that was ever used stays used, so that an erased token never means somebody else.
            if tables.tokens.get(&name)?.is_some() {
                continue;
            }
            let row = ask.row(token, lookup);
            self.put(tables, &name, &row)?;
            return Ok((name, row.token));
        }
        Err(VaultError::NoFreeToken(MINT_TRIES))
    }

    /// Writes a row and its look-up entry.
    pub(super) fn put(&self, tables: &mut Tables<Writing<'_>>, name: &TokenHash, row: &Row) -> Result<(), VaultError> {
        let sealed = self.shelf(tables, name)?.stow(name, &row.encode())?;
        tables.tokens.insert(name, live(&sealed).as_slice())?;
        tables.lookups.insert(&joined(&row.lookup, name), ())?;
        Ok(())
    }
}
