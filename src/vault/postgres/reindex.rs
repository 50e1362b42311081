//! New look-up hashes after a rotation of a token key, page by page; each page names where the next one starts.

use super::{
    super::{
        REINDEX_PAGE, VaultError,
        keys::{Keys, TokenHash},
    },
    Access, Failed, LONG, Postgres, Session, schema,
    subjects::bytes,
};

const META_CURSOR: &str = "reindex";

impl Postgres {
    pub(in super::super) async fn reindex(&self, keys: &Keys) -> Result<u64, VaultError> {
        let mut changed = 0;
        loop {
            let access = self.access(keys);
            let page = self.pool.run(LONG, move |session| {
                let access = access.clone();
                Box::pin(async move { access.reindex_page(session).await })
            });
            let (more, count) = page.await?;
            changed += count;
            if more.is_none() {
                return Ok(changed);
            }
        }
    }
}

impl Access {
    async fn reindex_page(&self, session: &mut Session) -> Result<(Option<TokenHash>, u64), Failed> {
        session.begin(schema::LOCK_ALONE).await?;
        let start = self.cursor(session).await?;
        let rows = session.query(schema::PAGE, &[&start, &(REINDEX_PAGE as i64)]).await?;
        let (mut names, mut sealed, mut lookups) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for row in &rows {
            let name: TokenHash = bytes(row, 0)?;
            last = Some(name);
            let Some(mut opened) = self.row(row, &name, 1)? else { continue };
            let active = self.keys.lookups(&opened.class, opened.compared())?;
            let active = *active.first().ok_or(VaultError::KeysetMismatch)?;
            if active != opened.lookup {
                opened.lookup = active;
                sealed.push(self.shelf(row, 2)?.stow(&name, &opened.encode()).map_err(VaultError::from)?);
                names.push(name.to_vec());
                lookups.push(active.to_vec());
            }
        }
        session.query(schema::SET_LOOKUPS, &[&names, &sealed, &lookups]).await?;
        let more = last.filter(|_| rows.len() == REINDEX_PAGE);
        match more {
            Some(name) => {
                let cursor = [self.keys.epoch().to_be_bytes().as_slice(), &name].concat();
                session.query(schema::SET_META, &[&META_CURSOR, &cursor]).await?;
            }
            None => drop(session.query(schema::DROP_META, &[&META_CURSOR]).await?),
        }
        session.commit().await?;
        Ok((more, names.len() as u64))
    }

    /// Behind which row the page starts. What another keyset began is begun anew.
    async fn cursor(&self, session: &mut Session) -> Result<Vec<u8>, Failed> {
        let rows = session.query(schema::META, &[]).await?;
        let cursor = rows.iter().find(|row| row.get::<_, &str>(0) == META_CURSOR).map(|row| row.get::<_, &[u8]>(1));
        let started = cursor.and_then(|cursor| cursor.split_first_chunk());
        let ours = started.filter(|(epoch, _)| u64::from_be_bytes(**epoch) == self.keys.epoch());
        Ok(ours.map(|(_, name)| name.to_vec()).unwrap_or_default())
    }
}
