//! Names of ticket fields: the many spellings of a custom field in, one path out.

use super::super::fields::{SearchFields, components as plain};

/// The components of `key` in lower case; a custom field is `cf` and its name, whatever queue it is asked for in.
///
/// # Errors
/// What cannot be told apart from a protected field: a custom field by its number (which the map does not know), and names
/// that a database may take for another one (letters outside ASCII, blanks at an end) unless the map lists them.
pub(super) fn components(key: &str, fields: &SearchFields) -> Result<Vec<String>, &'static str> {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let first = match first.to_lowercase().as_str() {
        "cf" | "customfield" | "ticketcf" | "ticketcustomfield" => "cf",
        "txncf" | "transactioncf" | "transactioncustomfield" | "txncustomfield" => "txncf",
        _ if !key.is_ascii() => return Err("a field's name in ASCII is expected"),
        _ => return Ok(plain(key)),
    };
    let rest = without_column(rest);
    let name = match (rest.find('{'), rest.strip_suffix('}')) {
        (None, None) => rest,
        // `{Name}` or `Queue.{Name}`.
        (Some(open), Some(inner)) if open == 0 || rest.get(..open).is_some_and(|queue| queue.ends_with('.')) => {
            inner.get(open + 1..).unwrap_or_default()
        }
        _ => return Err("a custom field is `CF.{Name}`"),
    };
    if name.is_empty() || name.contains(['{', '}']) {
        return Err("a custom field is `CF.{Name}`");
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("name the custom field: the map does not know its number");
    }
    let path = vec![first.to_owned(), name.to_lowercase()];
    let exact = name.is_ascii() && name.trim() == name;
    if exact || fields.lists_path(&path) { Ok(path) } else { Err("the map has to list a custom field of this name") }
}

fn without_column(name: &str) -> &str {
    [".LargeContent", ".Content"]
        .iter()
        .find_map(|column| {
            let cut = name.len().checked_sub(column.len())?;
            name.get(cut..).filter(|end| end.eq_ignore_ascii_case(column)).and_then(|_| name.get(..cut))
        })
        .unwrap_or(name)
}
