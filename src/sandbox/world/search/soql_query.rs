//! SOQL text in, a query out (Salesforce SOQL reference: SELECT, FROM, WHERE, ORDER BY, LIMIT, OFFSET).

use super::super::fault::Fault;
use super::super::object::Object;
use super::compare::{Order, Test, Wild};
use super::scan::Scan;
use super::tree::Tree;

/// A query.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) select: Select,
    pub(super) object: Object,
    pub(super) condition: Tree<Condition>,
    pub(super) order: Vec<(Field, Direction, NullsAt)>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// What is given back.
#[derive(Clone, Debug)]
pub(super) enum Select {
    Count,
    Fields(Vec<Field>),
}

/// A column of the object itself or of the contact it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Own(&'static str),
    Contact(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NullsAt {
    First,
    Last,
}

/// A leaf of WHERE.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Test(Field, Test),
    /// A semi-join: the field's value is among those of a column of another query.
    Within(Field, Box<Inner>),
}

/// The query inside a semi-join.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) object: Object,
    pub(super) field: Field,
    pub(super) condition: Tree<Condition>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut scan = Scan::new(text);
        let names = select(&mut scan)?;
        let source = Source::parse(&mut scan)?;
        let select = match names {
            None => Select::Count,
            Some(names) => Select::Fields(source.fields(&names)?),
        };
        let condition = source.filter(&mut scan, Nesting::Outer)?;
        let order = if scan.keyword("ORDER") { source.order(&mut scan)? } else { Vec::new() };
        let limit = if scan.keyword("LIMIT") { Some(count(&mut scan)?) } else { None };
        let offset = if scan.keyword("OFFSET") { count(&mut scan)? } else { 0 };
        if !scan.is_at_end() {
            return Err(scan.unexpected());
        }
        Ok(Self { select, object: source.object, condition, order, limit, offset })
    }
}

/// The names of SELECT; nothing for `COUNT()`.
fn select(scan: &mut Scan<'_>) -> Result<Option<Vec<String>>, Fault> {
    if !scan.keyword("SELECT") {
        return Err(scan.unexpected());
    }
    let mut names = Vec::new();
    loop {
        let name = scan.word().ok_or_else(|| scan.unexpected())?;
        if scan.symbol("(") {
            let inside = scan.word().unwrap_or_default();
            scan.must(")")?;
            match (name.to_ascii_uppercase().as_str(), inside.to_ascii_uppercase().as_str()) {
                ("COUNT", "") if names.is_empty() => return Ok(None),
                ("FIELDS", "ALL" | "STANDARD") => names.push("*".to_owned()),
                _ => return Err(Fault::query(format!("unsupported expression: {name}({inside})"))),
            }
        } else {
            names.push(name.to_owned());
        }
        if !scan.symbol(",") {
            return Ok(Some(names));
        }
    }
}

fn count(scan: &mut Scan<'_>) -> Result<usize, Fault> {
    scan.word().and_then(|word| word.parse().ok()).ok_or_else(|| scan.unexpected())
}

/// Whether a semi-join may stand here: not inside of another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Outer,
    Inner,
}

/// What FROM names.
struct Source {
    object: Object,
    alias: Option<String>,
}

impl Source {
    fn parse(scan: &mut Scan<'_>) -> Result<Self, Fault> {
        if !scan.keyword("FROM") {
            return Err(scan.unexpected());
        }
        let name = scan.word().ok_or_else(|| scan.unexpected())?;
        let object = Object::named(name)
            .ok_or_else(|| Fault::bad("INVALID_TYPE", format!("sObject type '{name}' is not supported")))?;
        let before = scan.clone();
        scan.keyword("AS");
        let alias = scan.word().filter(|word| !CLAUSES.iter().any(|clause| word.eq_ignore_ascii_case(clause)));
        if alias.is_none() {
            *scan = before;
        }
        Ok(Self { object, alias: alias.map(str::to_owned) })
    }

    fn fields(&self, names: &[String]) -> Result<Vec<Field>, Fault> {
        let mut fields = Vec::new();
        for name in names {
            if name == "*" {
                let all = std::iter::once("Id").chain(self.object.columns().iter().map(|column| column.name));
                fields.extend(all.map(Field::Own));
            } else {
                fields.push(self.field(name)?);
            }
        }
        Ok(fields)
    }

    fn field(&self, name: &str) -> Result<Field, Fault> {
        let unknown = || Fault::field(name);
        let bare = match name.split_once('.') {
            Some((prefix, rest)) if self.is_called(prefix) => rest,
            _ => name,
        };
        match bare.split_once('.') {
            None => self.object.field(bare).map(Field::Own).ok_or_else(unknown),
            Some((parent, rest)) if self.object == Object::Case && parent.eq_ignore_ascii_case("Contact") => {
                Object::Contact.field(rest).map(Field::Contact).ok_or_else(unknown)
            }
            Some(_) => Err(unknown()),
        }
    }

    fn is_called(&self, prefix: &str) -> bool {
        match &self.alias {
            Some(alias) => alias.eq_ignore_ascii_case(prefix),
            None => self.object.name().eq_ignore_ascii_case(prefix),
        }
    }

    /// WHERE, if there is one.
    fn filter(&self, scan: &mut Scan<'_>, nesting: Nesting) -> Result<Tree<Condition>, Fault> {
        if scan.keyword("WHERE") { self.logic(scan, nesting) } else { Ok(Tree::All(Vec::new())) }
    }

    /// Conditions joined by AND or by OR; SOQL wants parentheses where both meet.
    fn logic(&self, scan: &mut Scan<'_>, nesting: Nesting) -> Result<Tree<Condition>, Fault> {
        let first = self.unary(scan, nesting)?;
        let (word, other) = if scan.keyword("AND") {
            ("AND", "OR")
        } else if scan.keyword("OR") {
            ("OR", "AND")
        } else {
            return Ok(first);
        };
        let mut parts = vec![first, self.unary(scan, nesting)?];
        while scan.keyword(word) {
            parts.push(self.unary(scan, nesting)?);
        }
        if scan.keyword(other) {
            return Err(Fault::query(format!("unexpected token: '{other}'")));
        }
        Ok(if word == "AND" { Tree::All(parts) } else { Tree::Any(parts) })
    }

    fn unary(&self, scan: &mut Scan<'_>, nesting: Nesting) -> Result<Tree<Condition>, Fault> {
        scan.enter()?;
        let tree = if scan.keyword("NOT") {
            self.unary(scan, nesting)?.negate()
        } else if scan.symbol("(") {
            let tree = self.logic(scan, nesting)?;
            scan.must(")")?;
            tree
        } else {
            self.condition(scan, nesting)?
        };
        scan.leave();
        Ok(tree)
    }

    fn condition(&self, scan: &mut Scan<'_>, nesting: Nesting) -> Result<Tree<Condition>, Fault> {
        let name = scan.word().ok_or_else(|| scan.unexpected())?;
        let field = self.field(name)?;
        let leaf = |test| Tree::Leaf(Condition::Test(field, test));
        if scan.keyword("LIKE") {
            return Ok(leaf(Test::Like(pattern(&quoted(scan)?)?)));
        }
        if scan.keyword("IN") {
            return self.within(scan, field, nesting);
        }
        if scan.keyword("NOT") {
            return match scan.keyword("IN") {
                true => Ok(self.within(scan, field, nesting)?.negate()),
                false => Err(scan.unexpected()),
            };
        }
        let operator = OPERATORS.iter().find(|operator| scan.symbol(operator)).ok_or_else(|| scan.unexpected())?;
        let value = literal(scan)?;
        let order = match *operator {
            "=" => return Ok(leaf(Test::Equal(value))),
            "!=" | "<>" => return Ok(leaf(Test::Equal(value)).negate()),
            "<=" => Order::LessOrEqual,
            ">=" => Order::GreaterOrEqual,
            "<" => Order::Less,
            _ => Order::Greater,
        };
        let value = value.ok_or_else(|| Fault::query(format!("{name}: null has no order")))?;
        Ok(leaf(Test::Order(order, value)))
    }

    /// The list or the query behind IN.
    fn within(&self, scan: &mut Scan<'_>, field: Field, nesting: Nesting) -> Result<Tree<Condition>, Fault> {
        scan.must("(")?;
        let before = scan.clone();
        if scan.keyword("SELECT") {
            *scan = before;
            if nesting == Nesting::Inner || !self.joins(field) {
                return Err(Fault::query("a semi-join is not possible here".to_owned()));
            }
            let names = select(scan)?.unwrap_or_default();
            let source = Self::parse(scan)?;
            let [name] = names.as_slice() else {
                return Err(Fault::query("a semi-join selects one field".to_owned()));
            };
            let inner_field = source.field(name)?;
            if !source.joins(inner_field) {
                return Err(Fault::query(format!("a semi-join selects an id: {name}")));
            }
            let condition = source.filter(scan, Nesting::Inner)?;
            scan.must(")")?;
            let inner = Inner { object: source.object, field: inner_field, condition };
            return Ok(Tree::Leaf(Condition::Within(field, Box::new(inner))));
        }
        let mut values = vec![literal(scan)?];
        while scan.symbol(",") {
            values.push(literal(scan)?);
        }
        scan.must(")")?;
        Ok(Tree::Leaf(Condition::Test(field, Test::Among(values))))
    }

    /// Ids and references only.
    fn joins(&self, field: Field) -> bool {
        matches!(field, Field::Own("Id" | "ContactId") | Field::Contact("Id"))
    }

    fn order(&self, scan: &mut Scan<'_>) -> Result<Vec<(Field, Direction, NullsAt)>, Fault> {
        if !scan.keyword("BY") {
            return Err(scan.unexpected());
        }
        let mut order = Vec::new();
        loop {
            let name = scan.word().ok_or_else(|| scan.unexpected())?;
            let direction = if scan.keyword("DESC") {
                Direction::Descending
            } else {
                scan.keyword("ASC");
                Direction::Ascending
            };
            let nulls = match scan.keyword("NULLS") {
                true if scan.keyword("LAST") => NullsAt::Last,
                true if !scan.keyword("FIRST") => return Err(scan.unexpected()),
                _ => NullsAt::First,
            };
            order.push((self.field(name)?, direction, nulls));
            if !scan.symbol(",") {
                return Ok(order);
            }
        }
    }
}

/// `'text'`, `null`, or a bare number or date.
fn literal(scan: &mut Scan<'_>) -> Result<Option<String>, Fault> {
    if scan.keyword("NULL") {
        return Ok(None);
    }
    if let Some(bare) = scan.take(|c| c.is_ascii_digit() || "-:.TZ+".contains(c)) {
        return Ok(Some(bare.to_owned()));
    }
    Ok(Some(unescape(&quoted(scan)?)?))
}

/// What stands between single quotes, its escapes still in it.
fn quoted(scan: &mut Scan<'_>) -> Result<String, Fault> {
    scan.must("'")?;
    let mut raw = String::new();
    loop {
        match scan.next() {
            Some('\'') => return Ok(raw),
            Some('\\') => {
                raw.push('\\');
                raw.push(scan.next().ok_or_else(|| scan.unexpected())?);
            }
            Some(c) => raw.push(c),
            None => return Err(scan.unexpected()),
        }
    }
}

/// One character of a literal, and whether it stood behind a backslash.
enum Spelled {
    Plain(char),
    Escaped(char),
}

fn characters(raw: &str) -> Result<Vec<Spelled>, Fault> {
    let (mut chars, mut out) = (raw.chars(), Vec::new());
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(Spelled::Plain(c));
            continue;
        }
        let escape = chars.next();
        out.push(Spelled::Escaped(match escape {
            Some('n' | 'N') => '\n',
            Some('r' | 'R') => '\r',
            Some('t' | 'T') => '\t',
            Some('b' | 'B') => '\u{8}',
            Some('f' | 'F') => '\u{c}',
            Some(c @ ('\'' | '"' | '\\' | '%' | '_')) => c,
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| Fault::query(format!("bad escape in {raw}")))?
            }
            _ => return Err(Fault::query(format!("bad escape in {raw}"))),
        }));
    }
    Ok(out)
}

fn unescape(raw: &str) -> Result<String, Fault> {
    let plain = |spelled| match spelled {
        Spelled::Plain(c) | Spelled::Escaped(c) => c,
    };
    Ok(characters(raw)?.into_iter().map(plain).collect())
}

/// `%` and `_` are wildcards unless escaped.
fn pattern(raw: &str) -> Result<Vec<Wild>, Fault> {
    let wild = |spelled| match spelled {
        Spelled::Plain('%') => Wild::Any,
        Spelled::Plain('_') => Wild::One,
        Spelled::Plain(c) | Spelled::Escaped(c) => Wild::Char(c),
    };
    Ok(characters(raw)?.into_iter().map(wild).collect())
}

/// Longer ones first.
const OPERATORS: [&str; 7] = ["!=", "<>", "<=", ">=", "=", "<", ">"];

/// Words that end FROM.
const CLAUSES: [&str; 4] = ["WHERE", "ORDER", "LIMIT", "OFFSET"];
