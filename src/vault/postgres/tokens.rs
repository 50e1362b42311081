//! Tokens in PostgreSQL. Two gateways that mint for one text at once meet at a unique column, and both use the row
//! that is there.

use std::{collections::HashMap, sync::Arc};

use super::{
    super::{
        HOLDERS_SHOWN, MAX_SPELLINGS, MINT_TRIES, NOBODY, OwnedAsk, TokenAsk, TokenState, VaultError,
        keys::{Keys, TokenHash},
        row::Row,
        shelves::shelf_of,
    },
    Access, Failed, Found, Postgres, Session, schema,
    subjects::{bytes, living},
};
use crate::model::SubjectRef;

impl Postgres {
    pub(in super::super) async fn tokens(&self, keys: &Keys, asks: &[TokenAsk<'_>]) -> Result<Vec<String>, VaultError> {
        asks.iter().try_for_each(TokenAsk::check)?;
        let access = self.access(keys);
        let asks: Arc<Vec<_>> = Arc::new(asks.iter().map(TokenAsk::owned).collect());
        let done = self.pool.run(self.limit, move |session| {
            let (access, asks) = (access.clone(), Arc::clone(&asks));
            Box::pin(async move {
                match access.held(session, &asks).await? {
                    Some(tokens) => Ok(tokens),
                    None => access.find_or_mint(session, &asks).await,
                }
            })
        });
        done.await
    }

    pub(in super::super) async fn find_tokens(
        &self,
        keys: &Keys,
        values: &[(&str, &str)],
    ) -> Result<Vec<Vec<String>>, VaultError> {
        let lookups = values.iter().map(|(class, normalised)| keys.lookups(class, normalised));
        let lookups = Arc::new(lookups.collect::<Result<Vec<_>, _>>()?);
        let access = self.access(keys);
        let found = self.pool.run(self.limit, move |session| {
            let (access, lookups) = (access.clone(), Arc::clone(&lookups));
            Box::pin(async move {
                let rows = access.spellings(session, &lookups).await?;
                let tokens = |of: &Vec<(TokenHash, Row)>| of.iter().map(|(_, row)| row.token.clone()).collect();
                Ok(rows.iter().map(tokens).collect())
            })
        });
        found.await
    }

    pub(in super::super) async fn open_tokens(
        &self,
        keys: &Keys,
        tokens: &[&str],
    ) -> Result<Vec<TokenState>, VaultError> {
        let access = self.access(keys);
        let names: Vec<_> = tokens.iter().map(|token| self.hashes.token(token)).collect();
        let asked = names.clone();
        let found = self.pool.run(self.limit, move |session| {
            let (access, asked) = (access.clone(), slices(&asked));
            Box::pin(async move {
                let mut holders: HashMap<TokenHash, Vec<SubjectRef>> = HashMap::new();
                let limit = HOLDERS_SHOWN as i64;
                for row in session.query(schema::HOLDERS, &[&asked, &limit]).await? {
                    let holder = SubjectRef(bytes(&row, 1)?);
                    if holder != NOBODY {
                        holders.entry(bytes(&row, 0)?).or_default().push(holder);
                    }
                }
                let mut found = HashMap::new();
                for row in session.query(schema::OPEN, &[&asked]).await? {
                    let name: TokenHash = bytes(&row, 0)?;
                    found.insert(name, access.row(&row, &name, 1)?);
                }
                Ok((found, holders))
            })
        });
        let (found, holders) = found.await?;
        let state = |name: &TokenHash| match found.get(name) {
            Some(Some(row)) => TokenState::Value {
                class: Arc::clone(&row.class),
                text: row.text.clone(),
                holders: holders.get(name).cloned().unwrap_or_default(),
            },
            Some(None) => TokenState::Erased,
            None => TokenState::Unknown,
        };
        Ok(names.iter().map(state).collect())
    }

    pub(in super::super) async fn holds(&self, asks: &[(&str, SubjectRef)]) -> Result<Vec<bool>, VaultError> {
        let pairs: Vec<_> = asks.iter().map(|(token, subject)| (self.hashes.token(token), *subject)).collect();
        let asked = pairs.clone();
        let found = self.pool.run(self.limit, move |session| {
            let tokens: Vec<_> = asked.iter().map(|(token, _)| token.to_vec()).collect();
            let subjects: Vec<_> = asked.iter().map(|(_, subject)| subject.0.to_vec()).collect();
            Box::pin(async move {
                let rows = session.query(schema::HOLDS, &[&tokens, &subjects]).await?;
                let pair = |row: &Found| Ok((bytes(row, 0)?, SubjectRef(bytes(row, 1)?)));
                Ok(rows.iter().map(pair).collect::<Result<Vec<(TokenHash, SubjectRef)>, VaultError>>()?)
            })
        });
        let found = found.await?;
        Ok(pairs.iter().map(|pair| found.contains(pair)).collect())
    }
}

impl Access {
    /// The row in the column `sealed`; none, when it was erased.
    pub(super) fn row(&self, row: &Found, name: &TokenHash, sealed: usize) -> Result<Option<Row>, VaultError> {
        let bytes: Option<&[u8]> = row.get(sealed);
        let open = |bytes| Row::decode(&self.shelf(row, sealed + 1)?.take(name, bytes)?);
        bytes.map(open).transpose()
    }

    /// The rows under each list of look-up hashes.
    async fn spellings(
        &self,
        session: &mut Session,
        lookups: &[Vec<[u8; 16]>],
    ) -> Result<Vec<Vec<(TokenHash, Row)>>, Failed> {
        let asked: Vec<_> = lookups.iter().flatten().map(|lookup| lookup.to_vec()).collect();
        let mut found: HashMap<[u8; 16], Vec<(TokenHash, Row)>> = HashMap::new();
        for row in session.query(schema::FIND, &[&asked]).await? {
            let name = bytes(&row, 0)?;
            let opened = self.row(&row, &name, 1)?.ok_or(VaultError::Tampered)?;
            found.entry(bytes(&row, 4)?).or_default().push((name, opened));
        }
        let of = |hashes: &Vec<[u8; 16]>| hashes.iter().filter_map(|hash| found.get(hash)).flatten().cloned().collect();
        Ok(lookups.iter().map(of).collect())
    }

    async fn rows_of(&self, session: &mut Session, asks: &[OwnedAsk]) -> Result<Vec<Vec<(TokenHash, Row)>>, Failed> {
        let lookups = asks.iter().map(|ask| self.keys.lookups(&ask.class, ask.normalised.expose()));
        self.spellings(session, &lookups.collect::<Result<Vec<_>, _>>()?).await
    }

    /// The tokens, if all of them are there and held by who asks.
    async fn held(&self, session: &mut Session, asks: &[OwnedAsk]) -> Result<Option<Vec<String>>, Failed> {
        let rows = self.rows_of(session, asks).await?;
        let found: Vec<_> =
            asks.iter().zip(rows).map(|(ask, rows)| rows.into_iter().find(|(_, row)| ask.borrow().is(row))).collect();
        let Some(found) = found.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let tokens: Vec<_> = found.iter().map(|(name, _)| name.to_vec()).collect();
        let holders: Vec<_> = asks.iter().map(|ask| ask.subject.unwrap_or(NOBODY).0.to_vec()).collect();
        let held = session.query(schema::HOLDS, &[&tokens, &holders]).await?;
        let holds = |(token, holder): (&Vec<u8>, &Vec<u8>)| {
            held.iter()
                .any(|row| row.get::<_, &[u8]>(0) == token.as_slice() && row.get::<_, &[u8]>(1) == holder.as_slice())
        };
        let all = tokens.iter().zip(&holders).all(holds);
        Ok(all.then(|| found.into_iter().map(|(_, row)| row.token).collect()))
    }

    async fn find_or_mint(&self, session: &mut Session, asks: &[OwnedAsk]) -> Result<Vec<String>, Failed> {
        session.begin(schema::LOCK_SHARED).await?;
        let mut values: Vec<_> =
            asks.iter().map(|ask| self.hashes.value(&ask.class, ask.normalised.expose())).collect();
        // In one order everywhere, so that two gateways do not wait for each other.
        values.sort_unstable();
        values.dedup();
        session.query(schema::LOCK_VALUES, &[&values]).await?;
        let subjects: Vec<_> = asks.iter().filter_map(|ask| ask.subject).map(|subject| subject.0.to_vec()).collect();
        living(&session.query(schema::SUBJECTS, &[&subjects]).await?, &subjects)?;
        let mut known = self.rows_of(session, asks).await?;
        let mut named = Vec::with_capacity(asks.len());
        for index in 0..asks.len() {
            let (Some(ask), Some(rows)) = (asks.get(index), known.get(index)) else { break };
            let (name, row) = match rows.iter().find(|(_, row)| ask.borrow().is(row)) {
                Some(found) => found.clone(),
                None if rows.len() >= MAX_SPELLINGS => return Err(VaultError::TooManySpellings(rows.len()).into()),
                None => self.mint(session, ask).await?,
            };
            // Others of this batch may ask for the same value.
            for (other, rows) in asks.iter().zip(&mut known) {
                let same = other.class == ask.class && other.normalised == ask.normalised;
                if same && !rows.iter().any(|(there, _)| *there == name) {
                    rows.push((name, row.clone()));
                }
            }
            named.push((name, row.token));
        }
        let tokens: Vec<_> = named.iter().map(|(name, _)| name.to_vec()).collect();
        let holders: Vec<_> = asks.iter().map(|ask| ask.subject.unwrap_or(NOBODY).0.to_vec()).collect();
        session.query(schema::ADD_HOLDERS, &[&tokens, &holders]).await?;
        session.commit().await?;
        Ok(named.into_iter().map(|(_, token)| token).collect())
    }

    async fn mint(&self, session: &mut Session, ask: &OwnedAsk) -> Result<(TokenHash, Row), Failed> {
        let lookup = self.keys.lookups(&ask.class, ask.normalised.expose())?;
        let lookup = *lookup.first().ok_or(VaultError::KeysetMismatch)?;
        let text = self.hashes.text(&ask.class, ask.text.expose(), ask.shape);
        for _ in 0..MINT_TRIES {
            let token = self.keys.mint(&ask.class, ask.shape)?;
            let name = self.hashes.token(&token);
            let row = ask.row(token, lookup);
            let shelf = self.shelves(session, &[&name]).await?;
            let shelf = shelf.first().ok_or(VaultError::Tampered)?;
            let sealed = shelf.stow(&name, &row.encode()).map_err(VaultError::from)?;
            let number = i32::from(shelf_of(&name));
            let (name_, text, lookup) = (name.as_slice(), text.as_slice(), lookup.as_slice());
            let added = session.execute(schema::ADD_TOKEN, &[&name_, &number, &sealed, &text, &lookup]).await?;
            if added == 1 {
                return Ok((name, row));
            }
        }
        Err(VaultError::NoFreeToken(MINT_TRIES).into())
    }
}

fn slices(names: &[TokenHash]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.to_vec()).collect()
}
