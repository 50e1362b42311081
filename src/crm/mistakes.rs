//! Every mistake of a map is reported at its place, all of them at once.

use super::{Api, tests::classes};

/// A route that is right, with one line more.
fn with(line: &str) -> String {
    format!(
        "[map]\nname = 'm'\n[[route]]\nname = 'a'\nmatch = 'GET /a/{{id}}'\nresource = 'r'\naction = 'read'\n{line}\n"
    )
}

/// `line:column` and the first words of each diagnostic.
fn found(text: &str) -> Vec<String> {
    match Api::parse("m.toml", text, &classes()) {
        Ok(_) => Vec::new(),
        Err(found) => found
            .iter()
            .map(|diagnostic| {
                let place = diagnostic.position.unwrap();
                assert!(!diagnostic.help.is_empty() && diagnostic.file == "m.toml");
                format!("{}:{} {}", place.line, place.column, diagnostic.what)
            })
            .collect(),
    }
}

#[test]
fn each_mistake_is_found_at_its_place() {
    let plain = "response.fields = {}";
    for (line, expected) in [
        ("response.fields = { '$.a' = 'emial' }", "8:30 unknown class `emial`"),
        ("response.fields = { '$.a' = { class = 'emial' } }", "8:40 unknown class `emial`"),
        ("response.fields = { '$.a' = { class = 'email', encoding = 'hex' } }", "8:60 unknown encoding `hex`"),
        ("response.fields = { '$.a' = { encoding = 'base64' } }", "8:29 `class` is missing"),
        ("response.fields = { '$.a' = 1 }", "8:29 `class` is not a string"),
        ("response.fields = { '$.a[-1]' = 'email' }", "8:26 `$.a[-1]`: a quoted name"),
        (r#"response.fields = { "$.\u0061b[-1]" = 'email' }"#, "8:32 `$.ab[-1]`: a quoted name"),
        ("response.fields = {}\nresponse.links = ['a']", "9:20 `a`: a selector starts with `$`"),
        ("response.fields = {}\nresponse.record = '$.'", "9:22 `$.`: a member name is expected"),
        ("response.include = { '$' = 'x' }", "8:29 unknown set `x`"),
        ("response.fields = {}\nresponse.colour = 1", "9:10 unknown key `colour`"),
        ("response.format = 'yaml'", "8:20 unknown format `yaml`"),
        ("response.format = 'csv'\nresponse.delimiter = 'dot'\nresponse.fields = {}", "9:23 unknown delimiter `dot`"),
        ("response.delimiter = 'comma'\nresponse.fields = {}", "8:10 unknown key `delimiter`"),
        ("response.format = 'csv'\nresponse.fields = { '$.a.b' = 'email' }", "8:1 `$.a.b` selects nothing"),
        ("response.format = 'csv'\nresponse.fields = { '$[0]' = 'email' }", "8:1 `$[0]` selects nothing"),
        ("response.format = 'csv'\nresponse.fields = {}\nresponse.record = '$.a'", "8:1 `record` of a body whose rows"),
        ("response.format = 'xml'\nresponse.fields = { '$.a[0].b' = 'email' }", "8:1 `$.a[0].b` selects nothing"),
        (
            "response.format = 'xml'\nresponse.fields = { \"$.a[?@.b == 'c']\" = 'email' }",
            "8:1 `$.a[?@.b == 'c']` selects",
        ),
        ("request.format = 'sse'\nrequest.fields = {}\nresponse.fields = {}", "8:1 a request is not read as a stream"),
        ("response.closed = ['a']\nresponse.fields = {}", "8:21 `a`: a selector starts with `$`"),
        ("response.plain = ['$.a']\nresponse.fields = {}", "8:18 `plain` in a body of which nothing is closed"),
        (
            "response.closed = ['$']\nresponse.plain = ['$.a']\nresponse.fields = { '$.a' = 'email' }",
            "9:18 `$.a` is plain and has a class",
        ),
        ("response.format = 'opaque'\nresponse.closed = ['$.a']", "8:1 fields of a body that has none"),
        ("response.closed = ['$']", "8:1 the response body has fields and none is named"),
        (
            "search = { in = 'query.q', dialect = 'soql', include = ['x'] }\nresponse.fields = {}",
            "8:58 unknown set `x`",
        ),
        ("response.format = 'json'", "8:1 the response body has fields and none is named"),
        ("response.format = 'form'\nresponse.fields = {}", "8:1 a response is not read as a form"),
        ("response.format = 'multipart'\nresponse.fields = {}", "8:1 a response is not read as a form"),
        ("response.format = 'odata_batch'", "8:1 a response is not read as a batch"),
        ("response.fields = {}\nresponse.files = 'pass'", "9:18 `files` and `part` without a form of parts"),
        ("response.fields = {}\nresponse.part.'J'.fields = {}", "9:10 `files` and `part` without a form of parts"),
        ("response.format = 'opaque'\nresponse.links = ['$.a']", "8:1 fields of a body that has none"),
        ("colour = 1\nresponse.fields = {}", "8:1 unknown key `colour`"),
        ("subject = 'id'\nresponse.fields = {}", "8:12 a variable of the template is expected"),
        ("subject = '{nr}'\nresponse.fields = {}", "8:13 the template has no variable `nr`"),
        ("path = { nr = 'email' }\nresponse.fields = {}", "8:10 the template has no variable `nr`"),
        ("path = { id = 'x' }\nresponse.fields = {}", "8:16 unknown class `x`"),
        ("query = { q = 'x' }\nresponse.fields = {}", "8:16 unknown class `x`"),
        ("query = { q = 'email', Q = 'email' }\nresponse.fields = {}", "8:24 parameter `Q` stands twice"),
        ("query = { q = 'email' }\nquery_pass = ['q']\nresponse.fields = {}", "9:16 parameter `q` has a class already"),
        ("query_pass = ['a*b*']\nresponse.fields = {}", "8:16 `a*b*` is not a parameter's name"),
        ("query_pass = 'a'\nresponse.fields = {}", "8:14 `query_pass` is not an array"),
        ("query_list = { a = 'b' }\nresponse.fields = {}", "8:20 a list of names is expected"),
        ("query = { q = { class = 'x' } }\nresponse.fields = {}", "8:26 unknown class `x`"),
        ("query = { q = { class = 'email', several = 'x' } }\nresponse.fields = {}", "8:45 unknown word `x`"),
        ("search = 1\nresponse.fields = {}", "8:10 a search rule is not a table"),
        ("search = { dialect = 'soql', fields = {} }\nresponse.fields = {}", "8:10 `in` is missing"),
        ("search = { in = 'query.q', fields = {} }\nresponse.fields = {}", "8:10 `dialect` is missing"),
        ("search = { in = 'query.q', dialect = 'soql' }\nresponse.fields = {}", "8:10 `fields` is missing"),
        (
            "search = { in = 'query.q', dialect = 'sql', fields = {} }\nresponse.fields = {}",
            "8:39 unknown dialect `sql`",
        ),
        ("search = { in = 'q', dialect = 'soql', fields = {} }\nresponse.fields = {}", "8:18 `q` is no place"),
        (
            "search = { in = 'path.nr', dialect = 'odata', fields = {} }\nresponse.fields = {}",
            "8:23 the template has no",
        ),
        (
            "search = { in = 'path.id', dialect = 'odata', fields = { a = 'email' } }\nresponse.fields = {}",
            "8:18 no field",
        ),
        (
            "search = { in = 'path.id', dialect = 'soql', fields = {} }\nresponse.fields = {}",
            "8:18 `soql` has no query in",
        ),
        ("search = { in = 'query.$top', dialect = 'odata', fields = {} }\nresponse.fields = {}", "8:18 `odata` has no"),
        ("search = { in = 'body', dialect = 'soql', fields = {} }\nresponse.fields = {}", "8:18 a search in a body"),
        (
            "search = { in = ['query.q', 'query.q'], dialect = 'soql', fields = {} }\nresponse.fields = {}",
            "8:30 this place",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = { A = 'x' } }\nresponse.fields = {}",
            "8:62 unknown class",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = { A = true } }\nresponse.fields = {}",
            "8:61 `true` is no",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = { 'A.b' = 'email', 'a/B' = false } }\nresponse.fields = {}",
            "8:74 this field stands twice",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = {}, free = ['x'] }\nresponse.fields = {}",
            "8:68 unknown class",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = {}, colour = 1 }\nresponse.fields = {}",
            "8:59 unknown key",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = {} }\nresponse.fields = { '$..Email' = 'email' }",
            "8:55 `Email` has a class in the answer",
        ),
        (
            "search = { in = 'query.q', dialect = 'soql', fields = {} }\nquery_pass = ['q']\nresponse.fields = {}",
            "8:10 parameter `q` is in `query_pass`",
        ),
        ("write_back = 'drop'\nresponse.fields = {}", "8:14 `write_back` without a written body"),
        ("", "3:1 the response body is not described"),
        ("response = 1", "8:12 `response` is not a table"),
    ] {
        let found = found(&with(line));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].starts_with(expected), "{line}: {found:?}");
    }
    assert_eq!(found(&with(plain)), Vec::<String>::new());
}

#[test]
fn each_mistake_of_a_routes_own_keys_is_found_at_its_place() {
    let right = with("response.fields = {}");
    for (from, to, expected) in [
        ("'GET /a/{id}'", "'FETCH /a/{id}'", "5:10 unknown method `FETCH`"),
        ("'GET /a/{id}'", "'get /a/{id}'", "5:10 unknown method `get`"),
        ("'GET /a/{id}'", "'/a'", "5:10 a method and a path template are expected"),
        ("'GET /a/{id}'", "'GET /a//b'", "5:17 an empty or dot segment"),
        ("'GET /a/{id}'", "'GET /a/{id'", "5:17 a variable is a whole segment"),
        ("'GET /a/{id}'", "'GET /a?x'", "5:16 this character cannot stand"),
        ("'GET /a/{id}'", "'DELETE /a/{id}'", "7:11 this method changes the CRM"),
        ("'read'", "'look'", "7:11 unknown action"),
        ("'a'", "'A b'", "4:9 `A b` cannot be a route's name"),
        ("'r'", "'R'", "6:13 `R` cannot be a resource's name"),
        ("name = 'm'", "name = 'm'\nresources = ['x']", "7:13 unknown resource `r`"),
        ("name = 'm'", "name = 'm'\nversion = 1", "3:1 unknown key `version`"),
        ("name = 'm'", "", "1:1 `name` is missing"),
        ("name = 'a'\n", "", "3:1 `name` is missing"),
        ("match = 'GET /a/{id}'\n", "", "3:1 `match` is missing"),
        ("resource = 'r'\n", "", "3:1 `resource` is missing"),
        ("action = 'read'\n", "", "3:1 `action` is missing"),
        ("[map]\nname = 'm'\n", "", "1:1 `[map]` is missing"),
        ("[map]", "[extra]\n[map]", "1:2 unknown key `extra`"),
        ("[map]", "[set.x]\ncolour = 1\n[map]", "2:1 unknown key `colour`"),
        ("[map]", "[set.x]\nfields = { '$' = 'x' }\n[map]", "2:19 unknown class `x`"),
    ] {
        let found = found(&right.replacen(from, to, 1));
        assert_eq!(found.len(), 1, "{to}: {found:?}");
        assert!(found[0].starts_with(expected), "{to}: {found:?}");
    }
}

#[test]
fn routes_that_get_in_each_others_way_are_found() {
    let route = |name: &str, target: &str| {
        format!(
            "[[route]]\nname = '{name}'\nmatch = '{target}'\nresource = 'r'\naction = 'read'\nresponse.fields = {{}}\n"
        )
    };
    let map = "[map]\nname = 'm'\n";
    for (name, target, expected) in [
        ("a", "GET /x", "10:8 route `a` is already defined at line 4"),
        ("b", "GET /a/{x}/c", "11:9 `GET /a/{x}/c` maps the same requests as `GET /a/{id}/c` at line 5"),
        ("b", "GET /{y}/b/c", "11:9 `GET /{y}/b/c` is ambiguous with `GET /a/{id}/c` at line 5"),
        ("b", "OPTIONS /{y}/b/c", "11:9 `OPTIONS /{y}/b/c` is ambiguous with `GET /a/{id}/c` at line 5"),
        ("b", "GET /A/{id}/c", "11:9 `GET /A/{id}/c` differs only in case from `GET /a/{id}/c` at line 5"),
    ] {
        assert_eq!(found(&format!("{map}{}{}", route("a", "GET /a/{id}/c"), route(name, target))), [expected]);
    }
    for target in ["OPTIONS /a/{x}/c", "GET /a/b/c", "GET /a/{id}/d", "GET /a/{id}"] {
        assert!(found(&format!("{map}{}{}", route("a", "GET /a/{id}/c"), route("b", target))).is_empty(), "{target}");
    }
}

#[test]
fn one_selector_has_one_class() {
    let text = with(
        "response.include = { '$' = 's' }\nresponse.fields = { '$.a' = 'phone' }\n[set.s]\nfields = { '$.a' = 'email' }",
    );
    assert_eq!(found(&text), ["8:22 `$.a` already has another class in this body"]);
}

#[test]
fn a_selector_that_grows_too_long_is_found_where_it_is_included() {
    let long = ".a".repeat(20);
    let text = with(&format!("response.include = {{ '${long}' = 's' }}\n[set.s]\nfields = {{ '${long}' = 'email' }}"));
    assert_eq!(found(&text).len(), 1);
    assert!(found(&text)[0].starts_with("8:22 "), "{:?}", found(&text));
}

#[test]
fn all_mistakes_are_reported_in_order() {
    let text = "[map]\nnmae = 'm'\n[[route]]\nname = 'a'\nmatch = 'GRAB /a//b'\nresource = 'r'\naction = 'look'\n\
                response.fields = { '$.' = 'emial' }\nsubject = 'x'\ncolour = 1\n";
    let places: Vec<String> = found(text).iter().map(|one| one.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["1:1", "2:1", "5:10", "5:18", "7:11", "8:24", "8:29", "9:12", "10:1"]);
}

#[test]
fn broken_toml_is_reported_with_its_place() {
    for (text, place) in [("[map\nname = 1", "1:"), ("[map]\nname = 'a'\nname = 'b'\n", "3:"), ("[map]\nx = \n", "2:")]
    {
        let found = found(text);
        assert!(found[0].starts_with(place) && found[0].contains("not TOML"), "{found:?}");
    }
    assert_eq!(found("[map]\nname = 'm'\n"), ["1:1 the map has no route"]);
}

/// A route that is sent with POST, with one line more.
fn posted(line: &str) -> Vec<String> {
    found(&format!(
        "[map]\nname = 'm'\n[[route]]\nname = 'a'\nmatch = 'POST /a'\nresource = 'r'\naction = 'create'\n{line}\n"
    ))
}

#[test]
fn a_batch_or_a_form_that_could_not_be_served_is_a_mistake() {
    for (line, expected) in [
        ("request.format = 'odata_batch'", "3:1 a batch changes nothing by itself"),
        ("request.format = 'multipart'\nresponse.fields = {}", "8:1 the request body has fields and none is named"),
        (
            "request.format = 'multipart'\nrequest.files = 'keep'\nrequest.fields = {}\nresponse.fields = {}",
            "9:18 unknown rule `keep`",
        ),
        ("request.format = 'multipart'\nrequest.part.'J' = 1\nresponse.fields = {}", "9:20 a part is not a table"),
        (
            "request.format = 'multipart'\nrequest.part.'J'.format = 'form'\nrequest.part.'J'.fields = {}\nresponse.fields = {}",
            "9:14 a part with fields of its own is JSON",
        ),
    ] {
        let found = posted(line);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{line}: {found:?}");
    }
    for kind in ["odata_batch", "salesforce_composite", "salesforce_batch"] {
        let map = |method: &str, rest: &str| {
            found(&format!(
                "[map]\nname = 'm'\n[[route]]\nname = 'a'\nmatch = '{method} /a'\nresource = 'r'\naction = 'list'\nrequest.format = '{kind}'\n{rest}\n"
            ))
        };
        assert!(map("POST", "").is_empty());
        assert_eq!(map("POST", "response.fields = {}"), ["9:1 a batch has no response of its own"]);
        assert_eq!(map("GET", ""), ["3:1 a batch that is not sent with POST"]);
    }
}

#[test]
fn mistakes_of_calls_are_found_at_their_places() {
    let with = |head: &str, call: &str| {
        format!("[map]\nname = 'm'\n[[route]]\nname = 'a'\n{head}\nresource = 'r'\naction = 'read'\n{call}\n")
    };
    let mcp = "match = 'POST /mcp'\nrequest.format = 'mcp'";
    let tool = "[[route.tool]]\nname = 't'\nresource = 'r'\naction = 'read'\n";
    let mut missed = Vec::new();
    for (head, call, expected) in [
        (mcp, "", "3:1 the route has no `tool`"),
        (mcp, "tool = 1", "9:8 `tool` is not an array of tables"),
        (mcp, "tool = [1]", "9:9 a call is not a table"),
        (
            mcp,
            "[[route.root]]\nname = 't'\n[[route.tool]]\nname = 't'\nresource = 'r'\naction = 'read'",
            "9:9 unknown key `root`",
        ),
        (mcp, "[[route.tool]]\nname = 'a b'\nresource = 'r'\naction = 'read'", "10:9 `a b` cannot be a call's name"),
        (mcp, &format!("{tool}{tool}"), "13:1 `t` is mapped twice"),
        (mcp, &format!("{tool}colour = 1"), "13:1 unknown key `colour`"),
        (mcp, &format!("{tool}subject = 'id'"), "13:12 `id`: a selector starts with `$`"),
        (mcp, &format!("{tool}record = '$..x'"), "13:11 `$..x` is no such place"),
        (mcp, &format!("{tool}media = 'show'"), "13:10 unknown rule `show`"),
        (
            mcp,
            &format!("{tool}result.format = 'form'\nresult.fields = {{}}"),
            "9:1 arguments and results of a call are JSON",
        ),
        (mcp, &format!("{tool}result.fields = {{ '$.a' = 'x' }}"), "13:28 unknown class `x`"),
        (mcp, &format!("{tool}write_back = 'drop'"), "13:14 `write_back` without a written body"),
        ("match = 'GET /mcp'\nrequest.format = 'mcp'", tool, "5:10 calls come by POST"),
        (
            "match = 'POST /mcp'\nrequest.format = 'mcp'\nresponse.fields = {}",
            tool,
            "7:1 the answer of this route is described",
        ),
        (
            "match = 'POST /g'\nrequest.format = 'graphql'",
            "[[route.root]]\nname = 'a.1'\nresource = 'r'\naction = 'read'",
            "10:9 `a.1` cannot be a call's name",
        ),
    ] {
        let found = found(&with(head, call));
        if !found.iter().any(|one| one.starts_with(expected)) {
            missed.push(format!("{expected}: {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let whole = format!("{tool}result.fields = {{}}\n");
    let both = format!(
        "{}[[route]]\nname = 'b'\nmatch = 'DELETE /mcp'\nresource = 'r'\naction = 'delete'\nresponse.format = 'empty'\n",
        with(mcp, &whole)
    );
    assert!(found(&both)[0].contains("maps the same requests as `POST /mcp`"), "{:?}", found(&both));
    assert!(found(&with(mcp, &whole)).is_empty());
}
