//! What kinds of record there are and what their columns take.

use super::column::{Check, Column};

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Contact,
    Case,
}

impl Object {
    /// The object that a path calls `contacts` or `cases`.
    pub(super) fn at(path: &str) -> Option<Self> {
        [Self::Contact, Self::Case].into_iter().find(|object| object.path() == path)
    }

    /// The object that a query calls `Contact` or `Case`, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Contact, Self::Case].into_iter().find(|object| object.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Contact => "Contact",
            Self::Case => "Case",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Case => "cases",
        }
    }

    /// What ids start with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Contact => "003",
            Self::Case => "500",
        }
    }

    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Contact => CONTACT,
            Self::Case => CASE,
        }
    }

    /// The column called `name`, in any case.
    pub(super) fn column(self, name: &str) -> Option<&'static Column> {
        self.columns().iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The column that a record cannot be without.
    pub(super) fn required(self) -> &'static str {
        match self {
            Self::Contact => "LastName",
            Self::Case => "Subject",
        }
    }

    /// The spelling of the field `name` in records, `Id` among them.
    pub(super) fn field(self, name: &str) -> Option<&'static str> {
        if name.eq_ignore_ascii_case("Id") { Some("Id") } else { self.column(name).map(|column| column.name) }
    }
}

const fn column(name: &'static str, max_chars: usize, check: Check) -> Column {
    Column { name, max_chars, check }
}

/// Lengths as in Salesforce: Email 80, Phone 40, first name 40, last name 80, text 255, long text 131,072.
const CONTACT: &[Column] = &[
    column("FirstName", 40, Check::Any),
    column("LastName", 80, Check::Any),
    column("Email", 80, Check::Email),
    column("Phone", 40, Check::Phone),
    column("Card__c", 255, Check::Any),
    column("IBAN__c", 255, Check::Any),
    column("Note__c", 131_072, Check::Any),
    column("ExternalId__c", 255, Check::Any),
    column("CreatedAt", 20, Check::ReadOnly),
    column("UpdatedAt", 20, Check::ReadOnly),
];

const CASE: &[Column] = &[
    column("ContactId", 15, Check::Contact),
    column("Subject", 255, Check::Any),
    column("Status", 40, Check::OneOf(&["new", "open", "pending", "solved", "closed"])),
    column("Description", 32_000, Check::Any),
    column("SuppliedEmail", 80, Check::Email),
    column("SuppliedPhone", 40, Check::Phone),
    column("SuppliedName", 80, Check::Any),
    column("Card__c", 255, Check::Any),
    column("CreatedAt", 20, Check::ReadOnly),
    column("UpdatedAt", 20, Check::ReadOnly),
];
