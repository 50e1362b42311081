//! After a rotation of a token key: look-up hashes of the new active generation, page by page. Each page is a
//! transaction of its own and names where the next one starts, so a crash repeats at most one page. Look-ups
//! meanwhile use all living generations.

use redb::ReadableTable;

use super::{
    super::{REINDEX_PAGE, VaultError, keys::Keys, keys::TokenHash, row::Row},
    Access, Store, Stored, stored,
    tables::{Tables, Writing, joined},
};

const META_CURSOR: &str = "reindex";

impl Store {
    /// Looks at every row once; returns how many got a new hash.
    pub(in super::super) async fn reindex(&self, keys: &Keys) -> Result<u64, VaultError> {
        let mut changed = 0;
        loop {
            let access = self.access(keys);
            let page = self.writer.write(move |tables| access.reindex_page(tables)).await?;
            changed += page.changed;
            if page.last {
                return Ok(changed);
            }
        }
    }
}

struct Page {
    changed: u64,
    last: bool,
}

impl Access {
    fn reindex_page(&self, tables: &mut Tables<Writing<'_>>) -> Result<Page, VaultError> {
        let start = self.cursor(tables)?;
        let mut rows: Vec<(TokenHash, Row)> = Vec::new();
        let mut next = None;
        for (index, item) in tables.tokens.range::<&[u8; 16]>(&start..)?.enumerate() {
            let (name, bytes) = item?;
            let name = *name.value();
            if index == REINDEX_PAGE {
                next = Some(name);
                break;
            }
            if let Stored::Live(sealed) = stored(bytes.value())? {
                rows.push((name, Row::decode(&self.shelf(tables, &name)?.take(&name, sealed)?)?));
            }
        }
        let mut changed = 0;
        for (name, mut row) in rows {
            let lookups = self.keys.lookups(&row.class, row.compared())?;
            let active = *lookups.first().ok_or(VaultError::KeysetMismatch)?;
            if active != row.lookup {
                tables.lookups.remove(&joined(&row.lookup, &name))?;
                row.lookup = active;
                self.put(tables, &name, &row)?;
                changed += 1;
            }
        }
        match next {
            Some(next) => {
                let cursor: [u8; 24] = joined(&self.keys.epoch().to_be_bytes(), &next);
                tables.meta.insert(META_CURSOR, cursor.as_slice())?
            }
            None => tables.meta.remove(META_CURSOR)?,
        };
        Ok(Page { changed, last: next.is_none() })
    }

    /// Where the next page starts. What another keyset began is begun anew: rows before its cursor have older hashes.
    fn cursor(&self, tables: &Tables<Writing<'_>>) -> Result<TokenHash, VaultError> {
        let cursor = tables.meta(META_CURSOR)?.unwrap_or_default();
        let started = cursor.split_first_chunk().filter(|(epoch, _)| u64::from_be_bytes(**epoch) == self.keys.epoch());
        Ok(started.and_then(|(_, name)| name.try_into().ok()).unwrap_or([0; 16]))
    }
}
