//! `GET /world/rt/tickets?query=`: cases as tickets, in Request Tracker's TicketSQL and REST2 shapes.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::World;
use super::super::fault::Fault;
use super::super::object::Object;
use super::super::route::{BASE, number};
use super::super::table::Row;
use super::compare::{Order, Test, Wild, literal};
use super::scan::Scan;
use super::tree::{Tree, Truth};
use crate::sandbox::call::{Call, escape};
use crate::sandbox::reply::Reply;

pub(in super::super) fn search(world: &World, call: &Call) -> Result<Reply, Fault> {
    let (mut text, mut page, mut per_page) = (String::new(), 1, 20);
    for (name, value) in call.query() {
        match name.as_str() {
            "query" => text = value,
            "page" => page = number(&name, &value, 1, 1_000_000)?,
            "per_page" => per_page = number(&name, &value, 1, MAX_PAGE)?,
            _ => return Err(Fault::query(format!("unknown parameter: {name}={value}"))),
        }
    }
    let found = find(world, &parse(&text)?);
    let skip = (page - 1).saturating_mul(per_page);
    let items: Vec<Value> = found.iter().skip(skip).take(per_page).map(|row| show(world, call, row)).collect();
    let pages = found.len().div_ceil(per_page);
    // The links keep the query, personal or not: that is what RT does.
    let link = |page: usize| {
        format!("{}{BASE}/rt/tickets?page={page}&per_page={per_page}&query={}", call.origin, escape(&text))
    };
    let mut body = json!({
        "count": items.len(), "page": page, "pages": pages, "per_page": per_page, "total": found.len(), "items": items,
    });
    if let Some(body) = body.as_object_mut() {
        if page < pages {
            body.insert("next_page".to_owned(), link(page + 1).into());
        }
        if page > 1 {
            body.insert("prev_page".to_owned(), link(page - 1).into());
        }
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Own(&'static str),
    /// A column of the contact who asked.
    Requestor(&'static str),
}

pub(super) type Condition = Tree<(Field, Test)>;

/// Reads TicketSQL: AND binds closer than OR, there is no NOT in front of a condition.
pub(super) fn parse(text: &str) -> Result<Condition, Fault> {
    let mut scan = Scan::new(text);
    let tree = any(&mut scan)?;
    if scan.is_at_end() { Ok(tree) } else { Err(scan.unexpected()) }
}

fn any(scan: &mut Scan<'_>) -> Result<Condition, Fault> {
    let mut parts = vec![all(scan)?];
    while scan.keyword("OR") {
        parts.push(all(scan)?);
    }
    Ok(Tree::Any(parts))
}

fn all(scan: &mut Scan<'_>) -> Result<Condition, Fault> {
    let mut parts = vec![part(scan)?];
    while scan.keyword("AND") {
        parts.push(part(scan)?);
    }
    Ok(Tree::All(parts))
}

fn part(scan: &mut Scan<'_>) -> Result<Condition, Fault> {
    if !scan.symbol("(") {
        return condition(scan);
    }
    scan.enter()?;
    let tree = any(scan)?;
    scan.must(")")?;
    scan.leave();
    Ok(tree)
}

fn condition(scan: &mut Scan<'_>) -> Result<Condition, Fault> {
    let field = field(scan)?;
    if scan.keyword("IS") {
        let is_not = scan.keyword("NOT");
        if !scan.keyword("NULL") {
            return Err(scan.unexpected());
        }
        let tree = Tree::Leaf((field, Test::Equal(None)));
        return Ok(if is_not { tree.negate() } else { tree });
    }
    if scan.keyword("NOT") {
        let test = worded(scan)?.ok_or_else(|| scan.unexpected())?;
        return Ok(Tree::Leaf((field, test)).negate());
    }
    if let Some(test) = worded(scan)? {
        return Ok(Tree::Leaf((field, test)));
    }
    let operator = OPERATORS.iter().find(|operator| scan.symbol(operator)).ok_or_else(|| scan.unexpected())?;
    let value = value(scan)?;
    let order = match *operator {
        "=" => return Ok(Tree::Leaf((field, Test::Equal(Some(value))))),
        "!=" => return Ok(Tree::Leaf((field, Test::Equal(Some(value)))).negate()),
        "<=" => Order::LessOrEqual,
        ">=" => Order::GreaterOrEqual,
        "<" => Order::Less,
        _ => Order::Greater,
    };
    Ok(Tree::Leaf((field, Test::Order(order, value))))
}

/// An operator that is a word, with its value: LIKE finds the value anywhere, `%` and `_` in it are wildcards.
fn worded(scan: &mut Scan<'_>) -> Result<Option<Test>, Fault> {
    let (before, after) = if scan.keyword("LIKE") {
        (Some(Wild::Any), Some(Wild::Any))
    } else if scan.keyword("STARTSWITH") {
        (None, Some(Wild::Any))
    } else if scan.keyword("ENDSWITH") {
        (Some(Wild::Any), None)
    } else if scan.keyword("IN") {
        scan.must("(")?;
        let mut values = vec![Some(value(scan)?)];
        while scan.symbol(",") {
            values.push(Some(value(scan)?));
        }
        scan.must(")")?;
        return Ok(Some(Test::Among(values)));
    } else {
        return Ok(None);
    };
    let value = value(scan)?;
    let wild = |wild| match wild {
        Wild::Char('%') => Wild::Any,
        Wild::Char('_') => Wild::One,
        other => other,
    };
    Ok(Some(Test::Like(before.into_iter().chain(literal(&value).map(wild)).chain(after).collect())))
}

/// A field's name, in quotes or not: `Subject`, `Requestor.EmailAddress`, `CF.{Card}`, `'CustomField.{Card}'`.
fn field(scan: &mut Scan<'_>) -> Result<Field, Fault> {
    let name = match quoted(scan)? {
        Some(name) => name,
        None => {
            let name = scan.take(|c| c.is_alphanumeric() || "._-{}".contains(c)).ok_or_else(|| scan.unexpected())?;
            name.to_owned()
        }
    };
    let folded = name.to_ascii_lowercase();
    let custom = ["cf.{", "customfield.{"].iter().find_map(|prefix| folded.strip_prefix(prefix));
    let key = match custom.and_then(|custom| custom.strip_suffix('}')) {
        Some(custom) => format!("cf.{custom}"),
        None => folded,
    };
    let found = FIELDS.iter().find(|(own, _)| *own == key).map(|(_, field)| *field);
    found.ok_or_else(|| Fault::field(&name))
}

/// A value, in quotes or a bare word.
fn value(scan: &mut Scan<'_>) -> Result<String, Fault> {
    if let Some(text) = quoted(scan)? {
        return Ok(text);
    }
    let bare = scan.take(|c| c.is_alphanumeric() || "._-+@:".contains(c));
    bare.map(str::to_owned).ok_or_else(|| scan.unexpected())
}

/// What stands between quotes of one kind; a backslash takes the next character as it is.
fn quoted(scan: &mut Scan<'_>) -> Result<Option<String>, Fault> {
    let Some(quote) = ["'", "\""].into_iter().find(|quote| scan.symbol(quote)) else { return Ok(None) };
    let mut text = String::new();
    loop {
        match scan.next() {
            Some('\\') => text.push(scan.next().ok_or_else(|| scan.unexpected())?),
            Some(c) if quote.starts_with(c) => return Ok(Some(text)),
            Some(c) => text.push(c),
            None => return Err(scan.unexpected()),
        }
    }
}

/// The cases that `condition` finds, by id.
pub(super) fn find<'w>(world: &'w World, condition: &Condition) -> Vec<&'w Row> {
    let holds = |row: &&Row| {
        let truth = condition.truth(&|(field, test)| {
            let held = match field {
                Field::Own("Id") => Some(ticket_id(row)),
                Field::Own(name) => row.get(name),
                Field::Requestor(name) => requestor(world, row).and_then(|contact| contact.get(name)),
            };
            test.of(held, world.nulls)
        });
        truth == Truth::True
    };
    world.table(Object::Case).rows.values().filter(holds).collect()
}

fn requestor<'w>(world: &'w World, row: &Row) -> Option<&'w Row> {
    world.contacts.rows.get(row.get("ContactId")?)
}

/// RT's ids are plain numbers.
fn ticket_id(row: &Row) -> &str {
    let digits = row.id.strip_prefix(Object::Case.prefix()).unwrap_or(&row.id);
    digits.trim_start_matches('0')
}

fn show(world: &World, call: &Call, row: &Row) -> Value {
    let url = |object: Object, id: &str| format!("{}{BASE}/{}/{id}", call.origin, object.path());
    let people: Vec<Value> = requestor(world, row)
        .map(|contact| json!({ "type": "user", "id": contact.get("Email"), "_url": url(Object::Contact, &contact.id) }))
        .into_iter()
        .collect();
    let custom = |name: &str, column: &str| json!({ "name": name, "values": Vec::from_iter(row.get(column)) });
    json!({
        "type": "ticket", "id": ticket_id(row), "_url": url(Object::Case, &row.id), "Subject": row.get("Subject"),
        "Status": row.get("Status"), "Description": row.get("Description"), "Requestor": people,
        "CustomFields": [
            custom("Card", "Card__c"), custom("Customer Email", "SuppliedEmail"),
            custom("Customer Phone", "SuppliedPhone"), custom("Customer Name", "SuppliedName"),
        ],
        "Created": row.get("CreatedAt"), "LastUpdated": row.get("UpdatedAt"),
    })
}

/// Longer ones first.
const OPERATORS: [&str; 6] = ["!=", "<=", ">=", "=", "<", ">"];

const FIELDS: [(&str, Field); 12] = [
    ("id", Field::Own("Id")),
    ("subject", Field::Own("Subject")),
    ("status", Field::Own("Status")),
    ("description", Field::Own("Description")),
    ("created", Field::Own("CreatedAt")),
    ("requestor", Field::Requestor("Email")),
    ("requestor.emailaddress", Field::Requestor("Email")),
    ("requestor.id", Field::Requestor("Id")),
    ("cf.card", Field::Own("Card__c")),
    ("cf.customer email", Field::Own("SuppliedEmail")),
    ("cf.customer phone", Field::Own("SuppliedPhone")),
    ("cf.customer name", Field::Own("SuppliedName")),
];

/// Tickets of one page.
const MAX_PAGE: usize = 100;
