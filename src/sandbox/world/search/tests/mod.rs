//! Searches by hand-made tables, and generated ones against a plain evaluation of the same question.

mod generated;
mod tables;

use serde_json::{Map, Value};

use super::super::World;
use super::super::object::Object;
use super::super::table::Row;

/// Three contacts: one whole, one with nulls, one that differs from the first by case and quotes; a case for each of two.
fn small(world: World) -> World {
    let mut world = world;
    let contacts = [
        [("LastName", "Doe"), ("FirstName", "Jane"), ("Email", "Jane@Example.com"), ("Card__c", "4111")],
        [("LastName", "Ng"), ("FirstName", ""), ("Email", ""), ("Card__c", "")],
        [("LastName", "O'Brien \\ Co"), ("FirstName", "JANE"), ("Email", "jane_x@example.com"), ("Card__c", "42")],
    ];
    for contact in contacts {
        add(&mut world, Object::Contact, &contact);
    }
    add(&mut world, Object::Case, &[("Subject", "First"), ("Status", "open"), ("ContactId", "003000000000001")]);
    add(&mut world, Object::Case, &[("Subject", "100% lost"), ("Status", "closed"), ("ContactId", "003000000000003")]);
    add(&mut world, Object::Case, &[("Subject", "Nobody's"), ("Card__c", "4111")]);
    world
}

fn add(world: &mut World, object: Object, members: &[(&str, &str)]) {
    let members: Map<String, Value> =
        members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    world.create(object, &members).unwrap();
}

/// The last digit of each id.
fn ends(rows: &[&Row]) -> String {
    rows.iter().filter_map(|row| row.id.chars().last()).collect()
}
