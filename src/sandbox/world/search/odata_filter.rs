//! OData `$filter` and key predicates in, conditions out (OData 4.01 part 2, §5.1.1 and §4.3).

use super::super::fault::Fault;
use super::super::object::Object;
use super::compare::{Order, Test, Wild, literal as characters};
use super::scan::Scan;
use super::tree::Tree;

/// A condition on one column.
pub(super) type Filter = Tree<(&'static str, Test)>;

/// Reads a `$filter` over `object`.
pub(super) fn filter(text: &str, object: Object) -> Result<Filter, Fault> {
    let mut scan = Scan::new(text);
    let tree = any(&mut scan, object)?;
    if scan.is_at_end() { Ok(tree) } else { Err(scan.unexpected()) }
}

/// Reads what stands in the parentheses of `contacts(…)`: an id, or alternate keys.
pub(super) fn keys(text: &str, object: Object) -> Result<Vec<(&'static str, String)>, Fault> {
    let mut scan = Scan::new(text);
    let mut keys = Vec::new();
    loop {
        let before = scan.clone();
        let name = scan.word().filter(|_| scan.symbol("="));
        let field = match name {
            Some(name) => object.field(name).ok_or_else(|| Fault::field(name))?,
            None if keys.is_empty() => {
                scan = before;
                "Id"
            }
            None => return Err(scan.unexpected()),
        };
        let value = match field {
            "Id" => scan.word().map_or_else(|| quoted(&mut scan), |word| Ok(word.to_owned()))?,
            _ => quoted(&mut scan)?,
        };
        keys.push((field, value));
        if !scan.symbol(",") {
            break;
        }
    }
    if scan.is_at_end() { Ok(keys) } else { Err(scan.unexpected()) }
}

/// `or` binds loosest.
fn any(scan: &mut Scan<'_>, object: Object) -> Result<Filter, Fault> {
    let mut parts = vec![all(scan, object)?];
    while scan.keyword("or") {
        parts.push(all(scan, object)?);
    }
    Ok(Tree::Any(parts))
}

fn all(scan: &mut Scan<'_>, object: Object) -> Result<Filter, Fault> {
    let mut parts = vec![unary(scan, object)?];
    while scan.keyword("and") {
        parts.push(unary(scan, object)?);
    }
    Ok(Tree::All(parts))
}

fn unary(scan: &mut Scan<'_>, object: Object) -> Result<Filter, Fault> {
    scan.enter()?;
    let tree = if scan.keyword("not") {
        unary(scan, object)?.negate()
    } else if scan.symbol("(") {
        let tree = any(scan, object)?;
        scan.must(")")?;
        tree
    } else {
        comparison(scan, object)?
    };
    scan.leave();
    Ok(tree)
}

fn comparison(scan: &mut Scan<'_>, object: Object) -> Result<Filter, Fault> {
    let word = scan.word().ok_or_else(|| scan.unexpected())?;
    if scan.symbol("(") {
        return function(scan, object, word);
    }
    operator(scan, column(object, word)?)
}

fn column(object: Object, name: &str) -> Result<&'static str, Fault> {
    object.field(name).ok_or_else(|| Fault::field(name))
}

/// `contains(…)`, `startswith(…)`, `endswith(…)`, or `tolower(Column) eq …`.
fn function(scan: &mut Scan<'_>, object: Object, name: &str) -> Result<Filter, Fault> {
    let field = scan.word().ok_or_else(|| scan.unexpected()).and_then(|field| column(object, field))?;
    if matches!(name, "tolower" | "toupper") {
        scan.must(")")?;
        // Case never counts here.
        return operator(scan, field);
    }
    scan.must(",")?;
    let text = quoted(scan)?;
    scan.must(")")?;
    let (before, after) = match name {
        "contains" => (Some(Wild::Any), Some(Wild::Any)),
        "startswith" => (None, Some(Wild::Any)),
        "endswith" => (Some(Wild::Any), None),
        _ => return Err(Fault::query(format!("unknown function: {name}"))),
    };
    let pattern = before.into_iter().chain(characters(&text)).chain(after).collect();
    Ok(Tree::Leaf((field, Test::Like(pattern))))
}

fn operator(scan: &mut Scan<'_>, field: &'static str) -> Result<Filter, Fault> {
    let operator = scan.word().ok_or_else(|| scan.unexpected())?;
    if operator == "in" {
        scan.must("(")?;
        let mut values = vec![literal(scan)?];
        while scan.symbol(",") {
            values.push(literal(scan)?);
        }
        scan.must(")")?;
        return Ok(Tree::Leaf((field, Test::Among(values))));
    }
    let value = literal(scan)?;
    let order = match operator {
        "eq" => return Ok(Tree::Leaf((field, Test::Equal(value)))),
        "ne" => return Ok(Tree::Leaf((field, Test::Equal(value))).negate()),
        "lt" => Order::Less,
        "le" => Order::LessOrEqual,
        "gt" => Order::Greater,
        "ge" => Order::GreaterOrEqual,
        _ => return Err(Fault::query(format!("unknown operator: {operator}"))),
    };
    let value = value.ok_or_else(|| Fault::query(format!("{field}: null has no order")))?;
    Ok(Tree::Leaf((field, Test::Order(order, value))))
}

fn literal(scan: &mut Scan<'_>) -> Result<Option<String>, Fault> {
    if scan.keyword("null") { Ok(None) } else { quoted(scan).map(Some) }
}

/// `'text'`; a quote in it is doubled.
fn quoted(scan: &mut Scan<'_>) -> Result<String, Fault> {
    scan.must("'")?;
    let mut text = String::new();
    loop {
        match scan.next() {
            Some('\'') => {
                let mut ahead = scan.clone();
                if ahead.next() != Some('\'') {
                    return Ok(text);
                }
                *scan = ahead;
                text.push('\'');
            }
            Some(c) => text.push(c),
            None => return Err(scan.unexpected()),
        }
    }
}
