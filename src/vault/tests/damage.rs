//! Rows that somebody altered in the file are refused, each with an error and none with a value.

use redb::{Database, ReadableDatabase, ReadableTable};

use super::*;
use crate::vault::store::tables::{SHELVES, SUBJECTS, TOKENS};

fn edit(world: &World, change: impl Fn(&redb::WriteTransaction)) {
    let db = Database::open(world.dir().join("vault.redb")).unwrap();
    let transaction = db.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// A vault with two people and a token each.
fn filled(world: &World) -> ([SubjectRef; 2], Vec<String>) {
    let vault = world.open();
    let people = [person(&vault, "1"), person(&vault, "2")];
    let asks = [email("ada@x.example", Some(people[0])), email("bob@x.example", Some(people[1]))];
    (people, block(vault.tokens(&asks)).unwrap())
}

#[test]
fn every_flipped_byte_of_a_row_is_refused() {
    let world = World::new();
    let (people, tokens) = filled(&world);
    let name = world.open().hashes().token(&tokens[0]);
    let length = {
        let db = Database::open(world.dir().join("vault.redb")).unwrap();
        let table = db.begin_read().unwrap().open_table(TOKENS).unwrap();
        table.get(&name).unwrap().unwrap().value().len()
    };
    for at in [0, 1, 2, 16, 17, 40, length - 1] {
        let flip = |transaction: &redb::WriteTransaction| {
            let mut table = transaction.open_table(TOKENS).unwrap();
            let mut row = table.get(&name).unwrap().unwrap().value().to_vec();
            row[at] ^= 0x40;
            table.insert(&name, row.as_slice()).unwrap();
        };
        edit(&world, flip);
        let vault = world.open();
        let opened = block(vault.open_tokens(&[&tokens[0]]));
        assert!(matches!(opened, Err(VaultError::Tampered)), "{at}: {opened:?}");
        assert_eq!(value(&block(vault.open_tokens(&[&tokens[1]])).unwrap()[0]), "bob@x.example");
        drop(vault);
        edit(&world, flip);
    }
    edit(&world, |transaction| {
        let mut table = transaction.open_table(SUBJECTS).unwrap();
        let mut row = table.get(&people[0].0).unwrap().unwrap().value().to_vec();
        row[20] ^= 1;
        table.insert(&people[0].0, row.as_slice()).unwrap();
    });
    let vault = world.open();
    assert!(matches!(block(vault.subjects(&people[..1])), Err(VaultError::Tampered)));
    assert!(matches!(block(vault.subject_of("contact", "1")), Err(VaultError::Tampered)));
    assert!(matches!(block(vault.subject_of("contact", "2")), Ok(RecordState::Linked(_))));
}

#[test]
fn rows_do_not_open_in_each_others_place() {
    let world = World::new();
    let (people, tokens) = filled(&world);
    let names = {
        let vault = world.open();
        tokens.iter().map(|token| vault.hashes().token(token)).collect::<Vec<_>>()
    };
    edit(&world, |transaction| {
        let mut table = transaction.open_table(TOKENS).unwrap();
        let row = table.get(&names[0]).unwrap().unwrap().value().to_vec();
        table.insert(&names[1], row.as_slice()).unwrap();
        let mut table = transaction.open_table(SUBJECTS).unwrap();
        let row = table.get(&people[0].0).unwrap().unwrap().value().to_vec();
        table.insert(&people[1].0, row.as_slice()).unwrap();
    });
    let vault = world.open();
    assert!(matches!(block(vault.open_tokens(&[&tokens[1]])), Err(VaultError::Tampered)));
    assert!(matches!(block(vault.subjects(&people[1..])), Err(VaultError::Tampered)));
    assert_eq!(value(&block(vault.open_tokens(&[&tokens[0]])).unwrap()[0]), "ada@x.example");
}

#[test]
fn a_shelf_key_of_elsewhere_is_refused() {
    let world = World::new();
    drop(world.open());
    edit(&world, |transaction| {
        let mut table = transaction.open_table(SHELVES).unwrap();
        let mut key = table.get(0).unwrap().unwrap().value().to_vec();
        *key.last_mut().unwrap() ^= 1;
        table.insert(0, key.as_slice()).unwrap();
    });
    let opened = Vault::open(&world.settings(), world.keyset());
    assert!(matches!(opened, Err(VaultError::Tampered)), "{opened:?}");
}

#[test]
fn a_file_that_is_no_vault_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let file = world.dir().join("vault.redb");
    std::fs::remove_file(&file).unwrap();
    drop(Database::create(&file).unwrap());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let opened = Vault::open(&world.settings(), world.keyset());
    assert!(matches!(opened, Err(VaultError::Format { found: 0, .. })), "{opened:?}");
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let opened = Vault::open(&world.settings(), world.keyset());
    assert!(matches!(opened, Err(VaultError::Store(_))), "{opened:?}");
}
