//! `[map.limits]` and `[map.sweep.<resource>]`: how all of a resource is listed, read and written outside an exchange.

use std::sync::Arc;

use http::Method;
use toml::{Spanned, de::DeValue};

use super::{
    document::{Report, Section, Text, text},
    template::{Part, Template},
};
use crate::model::{Selector, Step};

/// How fast the CRM may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    /// Calls per second that the CRM allows this account: 1 to 10,000. Default 10.
    pub calls_per_second: u32,
    /// How much of it a sweep takes, in percent: 1 to 100. Default 30 (field-protection.md §5.3).
    pub share_percent: u32,
}

impl Default for CallLimit {
    fn default() -> Self {
        Self { calls_per_second: 10, share_percent: 30 }
    }
}

/// How the records of one resource are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRule {
    /// The resource.
    pub resource: Arc<str>,
    /// Pages of records.
    pub list: SweepRoute,
    /// One record.
    pub read: SweepRoute,
    /// Changes of one record.
    pub update: SweepRoute,
    /// A new record, for `probe`.
    pub create: Option<SweepRoute>,
    /// Removal, for the scratch record of `probe`.
    pub delete: Option<SweepRoute>,
    /// The records in a page: `$.items[*]`.
    pub records: Selector,
    /// The id, relative to a record of a page.
    pub id: Selector,
    /// Members that lead to the record in the body of one record; none when it is the record.
    pub record: Vec<String>,
    /// How many records there are, when a page says so.
    pub total: Option<Selector>,
    /// What a page shows.
    pub shows: Shows,
    /// How pages follow each other.
    pub paging: Paging,
    /// Parameters of every list call.
    pub query: Vec<(String, String)>,
    /// Where a record's version is.
    pub version: VersionSource,
    /// What an update carries of a member that has a changed leaf.
    pub members: Members,
    /// Members of the scratch record that `probe` makes.
    pub scratch: Vec<(String, String)>,
    /// Leaves that are written to another place than they are read from.
    pub write: Vec<(Selector, Vec<String>)>,
}

/// A route and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRoute {
    /// Position in [`super::Api::routes`].
    pub index: usize,
    /// Its method.
    pub method: Method,
    /// The path in front of the id and behind it; without an id, all of it stands in front.
    pub path: (String, Option<String>),
}

/// What a page shows of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Whole records.
    Records,
    /// Ids; each record is read alone.
    Ids,
}

/// How pages follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// There is one page.
    One,
    /// The body has a link to the next page.
    Link(Selector),
    /// The body has a cursor that goes into a parameter.
    Cursor {
        /// The parameter.
        parameter: String,
        /// The cursor.
        from: Selector,
    },
    /// Pages have numbers; the last one is empty.
    Number {
        /// The parameter.
        parameter: String,
        /// The first page's number.
        first: u32,
    },
}

/// Where a record's version is; it goes back in `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionSource {
    /// The CRM has none.
    None,
    /// The header `ETag` of a record that is read alone.
    Etag,
    /// A member, relative to the record.
    Member(Selector),
}

/// What an update carries of a member with a changed leaf inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// The whole member of the record: right for CRMs that replace members and for those that merge them.
    Whole,
    /// The changed leaf with the objects around it (RFC 7396); arrays are whole.
    Merged,
}

/// A route that was read: name, method, template, the variable that is the record's id, resource.
pub(super) struct Known<'a> {
    pub(super) name: &'a str,
    pub(super) method: &'a Method,
    pub(super) template: &'a Template,
    pub(super) subject: Option<usize>,
    pub(super) resource: &'a str,
}

/// Reads `[map.limits]`.
pub(super) fn limit(map: &mut Section<'_, '_>, report: &mut Report<'_>) -> CallLimit {
    let mut limit = CallLimit::default();
    if let Some(mut section) = map.section("limits", report) {
        limit.calls_per_second =
            section.number("calls_per_second", 1..=10_000, report).unwrap_or(limit.calls_per_second);
        limit.share_percent = section.number("share_percent", 1..=100, report).unwrap_or(limit.share_percent);
        section.close(report);
    }
    limit
}

/// Reads the tables below `[map.sweep]`.
pub(super) fn rules(
    value: Option<&Spanned<DeValue<'_>>>,
    routes: &[Known<'_>],
    report: &mut Report<'_>,
) -> Vec<SweepRule> {
    let Some(value) = value else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        report.at(value.span().start, "`sweep` is not a table", "write [map.sweep.contact]");
        return Vec::new();
    };
    let section = Section::new(table, value.span().start);
    let mut rules = Vec::new();
    for (name, value) in section.entries() {
        let DeValue::Table(table) = value.get_ref() else {
            report.at(value.span().start, "a resource's sweep is not a table", "write [map.sweep.contact]");
            continue;
        };
        if !routes.iter().any(|route| route.resource == name.value) {
            let what = format!("no route acts on `{}`", name.value);
            report.at(name.span.start, what, "write [map.sweep.<resource>] with the resource of the routes");
            continue;
        }
        let reader = Reader { routes, report };
        rules.extend(reader.rule(&name, Section::new(table, name.span.start)));
    }
    rules
}

struct Reader<'r, 'k, 't> {
    routes: &'r [Known<'k>],
    report: &'r mut Report<'t>,
}

impl Reader<'_, '_, '_> {
    fn rule(mut self, name: &Text<'_>, mut section: Section<'_, '_>) -> Option<SweepRule> {
        let variables = self.pairs("variables", &mut section);
        let list = self.route("list", &mut section, &variables, Id::Absent);
        let read = self.route("read", &mut section, &variables, Id::Present);
        let update = self.route("update", &mut section, &variables, Id::Present);
        let create = section.value("create").is_some();
        let create = create.then(|| self.route("create", &mut section, &variables, Id::Absent)).flatten();
        let delete = section.value("delete").is_some();
        let delete = delete.then(|| self.route("delete", &mut section, &variables, Id::Present)).flatten();
        let records = section.required("records", "write records = \"$.items[*]\"", self.report);
        let records = records.and_then(|text| self.selector(&text));
        let id = section.required("id", "write id = \"$.id\", relative to a record", self.report);
        let id = id.and_then(|text| self.selector(&text));
        let record = section.text("record", self.report).map(|text| self.names(&text)).unwrap_or_default();
        let total = section.text("total", self.report).and_then(|text| self.selector(&text));
        let shows =
            self.choice("shows", &mut section, Shows::Records, &[("records", Shows::Records), ("ids", Shows::Ids)]);
        let members = self.choice(
            "members",
            &mut section,
            Members::Whole,
            &[("whole", Members::Whole), ("merged", Members::Merged)],
        );
        let paging = self.paging(&mut section);
        let query = self.pairs("query", &mut section);
        let version = match section.text("version", self.report) {
            None => VersionSource::None,
            Some(text) if text.value == "etag" => VersionSource::Etag,
            Some(text) => self.selector(&text).map_or(VersionSource::None, VersionSource::Member),
        };
        let write = self.write(&mut section);
        let scratch = self.pairs("scratch", &mut section);
        section.close(self.report);
        Some(SweepRule {
            resource: name.value.into(),
            list: list?,
            read: read?,
            update: update?,
            create,
            delete,
            records: records?,
            id: id?,
            record,
            total,
            shows,
            paging,
            query,
            version,
            members,
            scratch,
            write,
        })
    }

    fn route(
        &mut self,
        key: &'static str,
        section: &mut Section<'_, '_>,
        variables: &[(String, String)],
        id: Id,
    ) -> Option<SweepRoute> {
        let named = section.required(key, "name a route: list = \"contact.list\"", self.report)?;
        let Some((index, route)) = self.routes.iter().enumerate().find(|(_, route)| route.name == named.value) else {
            self.report.inside(
                named.span,
                0,
                format!("unknown route `{}`", named.value),
                "write the name of a [[route]]",
            );
            return None;
        };
        let (mut front, mut behind, mut variable) = (String::new(), None::<String>, 0);
        for part in &route.template.parts {
            let path = behind.as_mut().unwrap_or(&mut front);
            path.push('/');
            match part {
                Part::Literal(literal) => path.push_str(literal),
                Part::Variable(_) if route.subject == Some(variable) => behind = Some(String::new()),
                Part::Variable(name) => match variables.iter().find(|(known, _)| known == name) {
                    Some((_, value)) => path.push_str(value),
                    None => {
                        let what = format!("the variable `{name}` of this route has no value");
                        self.report.inside(named.span, 0, what, "add it: variables = { version = \"v60.0\" }");
                        return None;
                    }
                },
            }
            variable += usize::from(matches!(part, Part::Variable(_)));
        }
        let fits = behind.is_some() == (id == Id::Present);
        if !fits {
            let what = match id {
                Id::Present => "this route has no record's id in its path",
                Id::Absent => "this route is about one record",
            };
            let help = "`list` and `create` name routes without, the others routes with subject = \"{…}\"";
            self.report.inside(named.span, 0, what, help);
            return None;
        }
        Some(SweepRoute { index, method: route.method.clone(), path: (front, behind) })
    }

    fn paging(&mut self, section: &mut Section<'_, '_>) -> Paging {
        let link = section.text("next", self.report);
        let mut found: Vec<Paging> = link.and_then(|text| self.selector(&text)).map(Paging::Link).into_iter().collect();
        if let Some(mut cursor) = section.section("cursor", self.report) {
            let parameter = cursor.required("parameter", "write parameter = \"after\"", self.report);
            let from = cursor.required("from", "write from = \"$.paging.next.after\"", self.report);
            let from = from.and_then(|text| self.selector(&text));
            cursor.close(self.report);
            let cursor = parameter.zip(from);
            found.extend(cursor.map(|(name, from)| Paging::Cursor { parameter: name.value.to_owned(), from }));
        }
        if let Some(mut page) = section.section("page", self.report) {
            let parameter = page.required("parameter", "write parameter = \"page\"", self.report);
            let first = page.number("first", 0..=1, self.report).unwrap_or(1);
            page.close(self.report);
            found.extend(parameter.map(|name| Paging::Number { parameter: name.value.to_owned(), first }));
        }
        if found.len() > 1 {
            self.report.at(section.start, "pages follow each other in two ways", "keep one of next, cursor and page");
        }
        found.pop().unwrap_or(Paging::One)
    }

    fn write(&mut self, section: &mut Section<'_, '_>) -> Vec<(Selector, Vec<String>)> {
        let mut write = Vec::new();
        if let Some(table) = section.section("write", self.report) {
            for (from, to) in table.entries() {
                let (from, to) = (self.selector(&from), text(to, "write", self.report));
                let to = to.map(|to| self.names(&to));
                write.extend(from.zip(to));
            }
        }
        write
    }

    fn pairs(&mut self, key: &'static str, section: &mut Section<'_, '_>) -> Vec<(String, String)> {
        let Some(table) = section.section(key, self.report) else { return Vec::new() };
        let pairs = table.entries().into_iter();
        pairs
            .filter_map(|(name, value)| Some((name.value.to_owned(), text(value, key, self.report)?.value.to_owned())))
            .collect()
    }

    fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        section: &mut Section<'_, '_>,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        let Some(text) = section.text(key, self.report) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return *choice;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.report.inside(
            text.span,
            0,
            format!("unknown `{key}`: `{}`", text.value),
            format!("write {}", names.join(" or ")),
        );
        default
    }

    fn selector(&mut self, text: &Text<'_>) -> Option<Selector> {
        text.value
            .parse()
            .map_err(|error: crate::model::SelectorError| {
                let what = format!("`{}`: {}", text.value, error.what);
                self.report.inside(text.span.clone(), error.at, what, "write JSONPath (RFC 9535) such as `$.items[*]`");
            })
            .ok()
    }

    /// The members of a selector that has nothing else.
    fn names(&mut self, text: &Text<'_>) -> Vec<String> {
        let Some(selector) = self.selector(text) else { return Vec::new() };
        let names = selector.steps().iter().map(|step| match step {
            Step::Name(name) => Some(name.clone()),
            _ => None,
        });
        let names: Option<Vec<String>> = names.collect();
        if names.is_none() {
            let what = format!("`{}` is not a path of members", text.value);
            self.report.inside(text.span.clone(), 0, what, "write `$.a.b`");
        }
        names.unwrap_or_default()
    }
}

/// Whether a route's path names a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Id {
    Present,
    Absent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::{Api, tests::classes};

    const ROUTES: &str = "
        [[route]]\nname = 'a.list'\nmatch = 'GET /{v}/a'\nresource = 'a'\naction = 'list'\nresponse.fields = {}
        [[route]]\nname = 'a.read'\nmatch = 'GET /{v}/a/{id}'\nresource = 'a'\naction = 'read'\nsubject = '{id}'
        response.fields = {}
        [[route]]\nname = 'a.update'\nmatch = 'PATCH /{v}/a/{id}/x'\nresource = 'a'\naction = 'update'\nsubject = '{id}'
        request.fields = {}\nresponse.fields = {}\n";
    const RULE: &str = "list = 'a.list'\nread = 'a.read'\nupdate = 'a.update'\nrecords = '$.items[*]'\nid = '$.id'\n\
        variables = { v = 'v1' }\n";

    fn map(rule: &str) -> String {
        format!("[map]\nname = 'm'\n[map.sweep.a]\n{rule}{ROUTES}")
    }

    fn found(text: &str) -> Vec<String> {
        let found = Api::parse("m.toml", text, &classes()).err().unwrap_or_default();
        let place =
            |one: &crate::model::Diagnostic| one.position.map(|at| format!("{}:{} {}", at.line, at.column, one.what));
        found.iter().filter_map(place).collect()
    }

    #[test]
    fn a_rule_knows_its_paths_and_pages() {
        let text = map(&format!("{RULE}next = '$.next'\nversion = 'etag'\nrecord = '$.data.a'\n"));
        let api = Api::parse("m.toml", &text, &classes()).unwrap();
        let rule = api.sweep("a").unwrap();
        assert_eq!(rule.list.path, ("/v1/a".to_owned(), None));
        assert_eq!(rule.update.path, ("/v1/a/".to_owned(), Some("/x".to_owned())));
        assert_eq!((rule.read.index, &rule.update.method), (1, &Method::PATCH));
        assert_eq!(rule.paging, Paging::Link("$.next".parse().unwrap()));
        assert_eq!((&rule.version, &rule.record), (&VersionSource::Etag, &vec!["data".to_owned(), "a".to_owned()]));
        assert_eq!((rule.shows, rule.members), (Shows::Records, Members::Whole));
        assert_eq!(api.limit(), CallLimit::default());
        assert!(api.sweep("b").is_none());
    }

    #[test]
    fn each_mistake_is_found_at_its_place() {
        for (line, expected) in [
            ("next = '$.'", "10:11 `$.`: a member name is expected"),
            ("next = '$.n'\ncursor = { parameter = 'a', from = '$.c' }", "3:12 pages follow each other in two ways"),
            ("page = { first = 2, parameter = 'p' }", "10:18 `first` is not such a number"),
            ("cursor = { from = '$.c' }", "10:10 `parameter` is missing"),
            ("shows = 'all'", "10:10 unknown `shows`: `all`"),
            ("members = 'some'", "10:12 unknown `members`: `some`"),
            ("record = '$.a[*]'", "10:11 `$.a[*]` is not a path of members"),
            ("write = { '$.a' = '$.b[0]' }", "10:20 `$.b[0]` is not a path of members"),
            ("create = 'a.read'", "10:11 this route is about one record"),
            ("delete = 'a.list'", "10:11 this route has no record's id in its path"),
            ("create = 'b'", "10:11 unknown route `b`"),
            ("colour = 1", "10:1 unknown key `colour`"),
        ] {
            let found = found(&map(&format!("{RULE}{line}\n")));
            assert!(found.len() == 1 && found[0].starts_with(expected), "{line}: {found:?}");
        }
        for (from, to, expected) in [
            ("list = 'a.list'\n", "", "3:12 `list` is missing"),
            ("id = '$.id'\n", "", "3:12 `id` is missing"),
            ("read = 'a.read'", "read = 'x'", "5:9 unknown route `x`"),
            ("[map.sweep.a]", "[map.sweep.b]", "3:12 no route acts on `b`"),
            (
                "[map.sweep.a]",
                "[map.limits]\ncalls_per_second = 0\n[map.sweep.a]",
                "4:20 `calls_per_second` is not such a number",
            ),
            (
                "[map.sweep.a]",
                "[map.limits]\nshare_percent = 101\n[map.sweep.a]",
                "4:17 `share_percent` is not such a number",
            ),
        ] {
            let found = found(&map(RULE).replacen(from, to, 1));
            assert!(found.len() == 1 && found[0].starts_with(expected), "{to}: {found:?}");
        }
        let unset = found(&map(RULE).replacen("variables = { v = 'v1' }\n", "", 1));
        assert_eq!(unset.len(), 3);
        assert!(unset.iter().all(|one| one.contains("the variable `v` of this route has no value")), "{unset:?}");
    }

    #[test]
    fn limits_hold_at_their_ends() {
        let limit = |line: &str| {
            let text = map(RULE).replacen("[map.sweep.a]", &format!("[map.limits]\n{line}\n[map.sweep.a]"), 1);
            Api::parse("m.toml", &text, &classes()).map(|api| api.limit())
        };
        assert_eq!(limit("calls_per_second = 10000").unwrap().calls_per_second, 10_000);
        assert_eq!(limit("share_percent = 100").unwrap().share_percent, 100);
        assert!(limit("calls_per_second = 10001").is_err());
    }
}
