//! Questions to a CRM in each search dialect, from a seed: what can be answered among stored forms, and what cannot.

use fieldgate::crm::search::Clause;
use http::Method;
use serde_json::{Value, json};

/// A generator of test choices (SplitMix64).
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A search dialect of the sample CRM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dialect {
    Soql,
    OData,
    TicketSql,
    Zendesk,
    HubSpot,
}

impl Dialect {
    /// Where records stand in an answer, and which member is their id.
    pub fn records(self) -> (&'static str, &'static str) {
        match self {
            Self::Soql => ("records", "Id"),
            Self::OData => ("value", "Id"),
            Self::TicketSql => ("items", "id"),
            Self::Zendesk | Self::HubSpot => ("results", "id"),
        }
    }

    fn spelling(self) -> &'static Spelling {
        match self {
            Self::OData => &ODATA,
            Self::TicketSql => &TICKET_SQL,
            _ => &SOQL,
        }
    }
}

/// A request that searches.
pub struct Question {
    pub method: Method,
    pub target: String,
    pub body: String,
}

impl Question {
    fn get(path: &str, parameter: &str, text: &str) -> Self {
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let joint = if path.contains('?') { '&' } else { '?' };
        Self { method: Method::GET, target: format!("{path}{joint}{parameter}={encoded}"), body: String::new() }
    }

    fn hubspot(body: &Value) -> Self {
        let target = "/world/hubspot/contacts/search".to_owned();
        Self { method: Method::POST, target, body: body.to_string() }
    }

    fn of(dialect: Dialect, condition: &str) -> Self {
        match dialect {
            Dialect::Soql => {
                Self::get("/world/query", "q", &format!("SELECT Id, c.Email FROM Contact c WHERE {condition}"))
            }
            Dialect::OData => Self::get("/world/odata/contacts", "$filter", condition),
            Dialect::TicketSql => Self::get("/world/rt/tickets?per_page=100", "query", condition),
            Dialect::Zendesk => Self::get("/world/zendesk/search", "query", condition),
            Dialect::HubSpot => Self::hubspot(&json!({ "query": condition })),
        }
    }
}

/// How a dialect spells a condition.
struct Spelling {
    quote: fn(&str) -> String,
    operators: &'static [&'static str],
    lists: &'static [&'static str],
    joins: [&'static str; 2],
    not: Option<&'static str>,
    /// Names in queries, and the columns of a contact they mean.
    fields: &'static [(&'static str, &'static str)],
}

fn backslashed(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const COLUMNS: &[(&str, &str)] =
    &[("Email", "Email"), ("Phone", "Phone"), ("Card__c", "Card__c"), ("IBAN__c", "IBAN__c"), ("LastName", "LastName")];

const TERMS: &[(&str, &str)] = &[("email", "Email"), ("phone", "Phone"), ("card", "Card__c"), ("iban", "IBAN__c")];

const SOQL: Spelling = Spelling {
    quote: backslashed,
    operators: &["=", "=", "!=", "<>"],
    lists: &["IN", "NOT IN"],
    joins: ["AND", "OR"],
    not: Some("NOT"),
    fields: COLUMNS,
};

const ODATA: Spelling = Spelling {
    quote: |text| format!("'{}'", text.replace('\'', "''")),
    operators: &["eq", "eq", "ne"],
    lists: &["in"],
    joins: ["and", "or"],
    not: Some("not"),
    fields: COLUMNS,
};

const TICKET_SQL: Spelling = Spelling {
    quote: backslashed,
    operators: &["=", "=", "!="],
    lists: &["IN", "NOT IN"],
    joins: ["AND", "OR"],
    not: None,
    fields: &[
        ("Requestor.EmailAddress", "Email"),
        ("Requestor", "Email"),
        ("'CF.{Customer Email}'", "Email"),
        ("CF.{Card}", "Card__c"),
        ("Status", "Status"),
    ],
};

/// Asks about these contacts.
pub struct Questions {
    pub contacts: Vec<Value>,
    pub rng: Rng,
}

impl Questions {
    /// A value of the column, in one of three spellings, or one that nobody has.
    fn value(&mut self, column: &str) -> String {
        if column == "Status" {
            return self.rng.pick(&["new", "open", "pending", "solved", "closed"]).to_owned();
        }
        let at = self.rng.below(self.contacts.len());
        let held = self.contacts[at][column].as_str().unwrap_or("nobody@example.org").to_owned();
        match self.rng.below(5) {
            0 => held.to_uppercase(),
            1 => held.to_lowercase(),
            _ => held,
        }
    }

    /// A question that equality of whole values answers.
    pub fn equality(&mut self, dialect: Dialect) -> Question {
        match dialect {
            Dialect::Soql if self.rng.below(4) == 0 => {
                let email = backslashed(&self.value("Email"));
                let sub = format!("SELECT Id FROM Contact WHERE Email = {email}");
                let text = format!("SELECT Id FROM Case WHERE ContactId IN ({sub}) OR Contact.Email = {email}");
                Question::get("/world/query", "q", &text)
            }
            Dialect::Soql | Dialect::OData | Dialect::TicketSql => {
                Question::of(dialect, &self.condition(dialect.spelling(), 3))
            }
            Dialect::Zendesk => Question::of(dialect, &self.terms()),
            Dialect::HubSpot => {
                let groups =
                    [json!({ "filters": [self.filter(), self.filter()] }), json!({ "filters": [self.filter()] })];
                Question::hubspot(&json!({ "filterGroups": groups, "limit": 200 }))
            }
        }
    }

    fn condition(&mut self, to: &Spelling, depth: usize) -> String {
        if depth > 0 && self.rng.below(3) > 0 {
            let (a, b) = (self.condition(to, depth - 1), self.condition(to, depth - 1));
            return match (self.rng.below(5), to.not) {
                (0, Some(not)) => format!("{not} ({a})"),
                (1 | 2, _) => format!("({a}) {} ({b})", to.joins[0]),
                _ => format!("({a}) {} ({b})", to.joins[1]),
            };
        }
        let (name, column) = to.fields[self.rng.below(to.fields.len())];
        if self.rng.below(3) == 0 {
            let list = [(to.quote)(&self.value(column)), (to.quote)(&self.value(column))].join(", ");
            return format!("{name} {} ({list})", self.rng.pick(to.lists));
        }
        format!("{name} {} {}", self.rng.pick(to.operators), (to.quote)(&self.value(column)))
    }

    /// Terms on fields, protected and not, and addresses without a field.
    fn terms(&mut self) -> String {
        let terms: Vec<String> = (0..=self.rng.below(3)).map(|_| self.term()).collect();
        terms.join(" ")
    }

    fn term(&mut self) -> String {
        let sign = if self.rng.below(4) == 0 { "-" } else { "" };
        let at = self.rng.below(TERMS.len() + 4);
        match TERMS.get(at).copied() {
            Some((name, column)) => format!("{sign}{name}:\"{}\"", self.value(column)),
            None if at == TERMS.len() => format!("{sign}requester:\"{}\"", self.value("Email")),
            None if at == TERMS.len() + 1 => format!("{sign}name:\"{}\"", self.value("LastName")),
            None if at == TERMS.len() + 2 => format!("{sign}status:{}", self.value("Status")),
            None => format!("{sign}{}", self.address()),
        }
    }

    fn filter(&mut self) -> Value {
        let at = self.rng.below(TERMS.len() + 1);
        let (name, column) = TERMS.get(at).copied().unwrap_or(("lastname", "LastName"));
        let value = self.value(column);
        match self.rng.pick(&["EQ", "EQ", "NEQ", "IN", "NOT_IN"]) {
            operator @ ("IN" | "NOT_IN") => {
                let values = [value.to_lowercase(), self.value(column).to_lowercase()];
                json!({ "propertyName": name, "operator": operator, "values": values })
            }
            operator => json!({ "propertyName": name, "operator": operator, "value": value }),
        }
    }

    /// A question, understood by the dialect, that stored forms cannot answer.
    pub fn unsupported(&mut self, dialect: Dialect) -> Question {
        match dialect {
            Dialect::Soql => self.unsupported_soql(),
            Dialect::OData => self.unsupported_odata(),
            Dialect::TicketSql => {
                let (name, column) = TICKET_SQL.fields[self.rng.below(4)];
                let value = backslashed(&self.value(column));
                let operators = ["LIKE", "NOT LIKE", "STARTSWITH", "NOT STARTSWITH", "ENDSWITH", "<", "<=", ">", ">="];
                let bad = format!("{name} {} {value}", self.rng.pick(&operators));
                let text = self.within(&TICKET_SQL, bad);
                Question::of(dialect, &text)
            }
            Dialect::Zendesk => {
                let (name, column) = TERMS[self.rng.below(TERMS.len())];
                let value = self.value(column);
                let part: String = value.chars().take(3 + self.rng.below(4)).filter(|c| *c != ' ').collect();
                let bad = match self.rng.below(5) {
                    0 => format!("{name}:{part}*"),
                    1 => format!("-{name}:*{part}"),
                    2 => format!("{name}{}{part}", self.rng.pick(&["<", ">", "<=", ">=", ":>", ":<"])),
                    3 => format!("{} order_by:{name} sort:desc", self.terms()),
                    _ => format!("\"call {}\"", self.address()),
                };
                let terms = self.terms();
                Question::of(dialect, &format!("{terms} {bad}"))
            }
            Dialect::HubSpot => self.unsupported_hubspot(),
        }
    }

    /// `bad`, alone or with conditions that can be answered.
    fn within(&mut self, to: &Spelling, bad: String) -> String {
        match (self.rng.below(4), to.not) {
            (0, _) => bad,
            (1, Some(not)) => format!("{not} ({bad})"),
            (2, _) => format!("({}) {} ({bad})", self.condition(to, 2), to.joins[1]),
            _ => format!("({bad}) {} ({})", to.joins[0], self.condition(to, 2)),
        }
    }

    fn address(&mut self) -> String {
        loop {
            let value = self.value("Email");
            if value.contains('@') {
                return value;
            }
        }
    }

    /// A column with stored forms, and a value of it.
    fn stored(&mut self) -> (&'static str, String) {
        let (name, column) = COLUMNS[self.rng.below(4)];
        (name, self.value(column))
    }

    fn unsupported_soql(&mut self) -> Question {
        let (name, value) = self.stored();
        let value = backslashed(&value);
        let statement = match self.rng.below(9) {
            0 => format!("SELECT Id FROM Contact ORDER BY {}{name}", self.rng.pick(&["", "LastName, "])),
            1 => format!("SELECT {name}, COUNT(Id) FROM Contact GROUP BY {name}"),
            2 => format!("SELECT {}({name}) FROM Contact", self.rng.pick(&["MIN", "MAX", "COUNT_DISTINCT"])),
            3 => format!("SELECT Id, {name} other FROM Contact"),
            4 => format!("SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName HAVING MAX({name}) = {value}"),
            _ => {
                let bad = match self.rng.below(4) {
                    0 | 1 => format!("{name} LIKE {}%'", value.trim_end_matches('\'')),
                    2 => format!("{name} {} {value}", self.rng.pick(&["<", "<=", ">", ">="])),
                    _ => format!("toLabel({name}) = {value}"),
                };
                format!("SELECT Id FROM Contact WHERE {}", self.within(&SOQL, bad))
            }
        };
        Question::get("/world/query", "q", &statement)
    }

    fn unsupported_odata(&mut self) -> Question {
        let (name, value) = self.stored();
        let value = (ODATA.quote)(&value);
        let (parameter, text) = match self.rng.below(6) {
            0 => {
                ("$orderby", format!("{}{name} {}", self.rng.pick(&["", "LastName,"]), self.rng.pick(&["asc", "desc"])))
            }
            1 => ("$apply", format!("groupby(({name}),aggregate($count as n))")),
            _ => {
                let bad = match self.rng.below(4) {
                    0 | 1 => format!("{}({name},{value})", self.rng.pick(&["contains", "startswith", "endswith"])),
                    2 => format!("{name} {} {value}", self.rng.pick(&["lt", "le", "gt", "ge"])),
                    _ => format!("{}({name}) eq {value}", self.rng.pick(&["tolower", "toupper", "trim"])),
                };
                ("$filter", self.within(&ODATA, bad))
            }
        };
        assert!(Clause::of_parameter(parameter).is_some(), "{parameter}");
        Question::get("/world/odata/contacts", parameter, &text)
    }

    fn unsupported_hubspot(&mut self) -> Question {
        let (name, column) = TERMS[self.rng.below(TERMS.len())];
        let value = self.value(column);
        let bad = match self.rng.below(6) {
            0 => {
                let sorts = json!([{ "propertyName": name, "direction": "DESCENDING" }]);
                return Question::hubspot(&json!({ "filterGroups": [{ "filters": [self.filter()] }], "sorts": sorts }));
            }
            1 => {
                let address = self.address();
                return Question::of(Dialect::HubSpot, &format!("call {address}"));
            }
            2 => json!({ "propertyName": name, "operator": "BETWEEN", "value": value, "highValue": "z" }),
            3 => {
                let operator = self.rng.pick(&["LT", "LTE", "GT", "GTE"]);
                json!({ "propertyName": name, "operator": operator, "value": value })
            }
            _ => {
                let operator = self.rng.pick(&["CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"]);
                json!({ "propertyName": name, "operator": operator, "value": format!("*{value}*") })
            }
        };
        Question::hubspot(&json!({ "filterGroups": [{ "filters": [self.filter(), bad] }] }))
    }
}
