//! `SELECT` statements: the select list, `FROM` with its aliases, and the clauses after it.

use super::{
    super::{
        SearchError,
        cursor::{Kind, Token},
        fields::{Field, components},
    },
    Parser, Scope,
};

/// Where a `SELECT` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The statement.
    Statement,
    /// In a select list: its rows are part of the answer.
    Rows,
    /// After `IN`: its values are compared.
    SemiJoin,
}

/// Words that end a list item, so never an alias.
const CLAUSES: [&str; 14] = [
    "FROM", "USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL", "WHEN",
    "END",
];

impl Parser<'_, '_, '_> {
    pub(super) fn select(&mut self, place: Place) -> Result<(), SearchError> {
        self.cursor.enter()?;
        self.cursor.expect_word("SELECT", "SELECT is expected")?;
        // Aliases stand in FROM and are used before it.
        let list = self.cursor.place();
        self.skip_to_from()?;
        let scope = self.from()?;
        let after_from = self.cursor.place();
        self.scopes.push(scope);
        self.cursor.back_to(list);
        loop {
            self.selected(place)?;
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        if !self.cursor.is_word("FROM") {
            return Err(self.cursor.error("`,` or FROM is expected"));
        }
        self.cursor.back_to(after_from);
        self.clauses()?;
        self.scopes.pop();
        self.cursor.leave();
        Ok(())
    }

    fn skip_to_from(&mut self) -> Result<(), SearchError> {
        let mut depth = 0_usize;
        loop {
            let (at_from, token) = (depth == 0 && self.cursor.is_word("FROM"), self.cursor.next());
            match self.cursor.str(token) {
                _ if at_from => return Ok(()),
                _ if token.kind == Kind::End => break,
                "(" => depth += 1,
                ")" if depth == 0 => break,
                ")" => depth -= 1,
                _ => {}
            }
        }
        Err(SearchError::Syntax { at: self.cursor.text.len(), what: "FROM is expected" })
    }

    fn from(&mut self) -> Result<Scope, SearchError> {
        let mut scope = Scope::default();
        loop {
            let object = self.cursor.expect(Kind::Word, "an object is expected")?;
            let path = components(self.cursor.str(object));
            let path = scope.of_alias(&path).unwrap_or(path);
            if scope.root.is_empty() {
                scope.root.clone_from(&path);
            }
            let explicit = self.cursor.eat_word("AS");
            if let Some(alias) = self.alias() {
                if scope.aliases.iter().any(|(known, _)| *known == alias) {
                    return Err(self.cursor.error("each alias names one object"));
                }
                scope.aliases.push((alias, path));
            } else if explicit {
                return Err(self.cursor.error("an alias is expected"));
            }
            if !self.cursor.eat_symbol(",") {
                return Ok(scope);
            }
        }
    }

    /// Takes an alias when one is next.
    fn alias(&mut self) -> Option<String> {
        let token = self.cursor.peek();
        let text = self.cursor.str(token);
        let free = token.kind == Kind::Word && !CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(text));
        (free && !text.contains('.')).then(|| {
            self.cursor.next();
            text.to_lowercase()
        })
    }

    fn selected(&mut self, place: Place) -> Result<(), SearchError> {
        if self.cursor.eat_symbol("(") {
            self.select(Place::Rows)?;
            return self.cursor.expect_symbol(")", "`)` is expected");
        }
        if self.cursor.is_word("TYPEOF") && self.cursor.peek_at(1).kind == Kind::Word {
            return self.type_of();
        }
        let name = self.cursor.expect(Kind::Word, "a field is expected")?;
        if self.cursor.is_symbol("(") {
            if self.is_fields(name) {
                self.all_fields()?;
            } else if let Some(field) = self.function(name)? {
                return Err(SearchError::Aliased { field: field.name.to_string() });
            }
            if let Some(alias) = self.alias() {
                self.unmistaken(alias)?;
            }
            return Ok(());
        }
        let field = self.field(self.cursor.str(name));
        if place == Place::SemiJoin {
            self.found.needs_clear(field, "a sub-select")?;
        }
        match (self.alias(), field) {
            (Some(_), Some(field)) => Err(SearchError::Aliased { field: field.name.to_string() }),
            (Some(alias), None) => self.unmistaken(alias),
            (None, _) => Ok(()),
        }
    }

    /// Refuses an alias under which the answer would show one member as another: `Secret__c Id`.
    fn unmistaken(&self, alias: String) -> Result<(), SearchError> {
        if self.found.fields.is_meant(&alias) { Err(SearchError::Aliased { field: alias }) } else { Ok(()) }
    }

    fn is_fields(&self, name: Token) -> bool {
        self.cursor.str(name).eq_ignore_ascii_case("FIELDS")
    }

    /// The rest of `FIELDS(ALL)`.
    fn all_fields(&mut self) -> Result<(), SearchError> {
        self.cursor.next();
        if !["ALL", "STANDARD", "CUSTOM"].iter().any(|word| self.cursor.eat_word(word)) {
            return Err(self.cursor.error("ALL, STANDARD or CUSTOM is expected"));
        }
        self.cursor.expect_symbol(")", "`)` is expected")
    }

    fn type_of(&mut self) -> Result<(), SearchError> {
        self.cursor.next();
        self.cursor.expect(Kind::Word, "a relationship is expected")?;
        while self.cursor.eat_word("WHEN") {
            self.cursor.expect(Kind::Word, "an object is expected")?;
            self.cursor.expect_word("THEN", "THEN is expected")?;
            self.names()?;
        }
        if self.cursor.eat_word("ELSE") {
            self.names()?;
        }
        self.cursor.expect_word("END", "WHEN, ELSE or END is expected")
    }

    /// Fields that come back under their own names.
    fn names(&mut self) -> Result<(), SearchError> {
        loop {
            let name = self.cursor.expect(Kind::Word, "a field is expected")?;
            if self.cursor.is_symbol("(") && self.is_fields(name) {
                self.all_fields()?;
            }
            if !self.cursor.eat_symbol(",") {
                return Ok(());
            }
        }
    }

    /// The arguments of the function `name`; gives a field among them whose clear value would be part of the result.
    pub(super) fn function(&mut self, name: Token) -> Result<Option<Field>, SearchError> {
        self.cursor.enter()?;
        self.cursor.expect_symbol("(", "`(` is expected")?;
        // How many are not null: sealed or not makes no difference.
        let counts = self.cursor.str(name).eq_ignore_ascii_case("COUNT");
        let mut shown = None;
        while !self.cursor.is_symbol(")") {
            let argument = self.cursor.next();
            match argument.kind {
                Kind::Word if self.cursor.is_symbol("(") => shown = self.function(argument)?.or(shown),
                Kind::Word if counts => {}
                Kind::Word => {
                    let field = self.field(self.cursor.str(argument));
                    self.found.needs_clear(field, "a function")?;
                    shown = field.cloned().or(shown);
                }
                Kind::Text | Kind::Number => {}
                _ => return Err(SearchError::Syntax { at: argument.start, what: "an argument is expected" }),
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")", "`,` or `)` is expected")?;
        self.cursor.leave();
        Ok(shown)
    }

    fn clauses(&mut self) -> Result<(), SearchError> {
        if self.cursor.eat_word("USING") {
            self.cursor.expect_word("SCOPE", "SCOPE is expected")?;
            self.cursor.expect(Kind::Word, "a scope is expected")?;
        }
        if self.cursor.eat_word("WHERE") {
            self.condition()?;
        }
        while self.cursor.eat_word("WITH") {
            self.with()?;
        }
        if self.cursor.eat_word("GROUP") {
            self.cursor.expect_word("BY", "BY is expected")?;
            self.grouping()?;
        }
        if self.cursor.eat_word("HAVING") {
            self.condition()?;
        }
        if self.cursor.eat_word("ORDER") {
            self.cursor.expect_word("BY", "BY is expected")?;
            self.ordering()?;
        }
        for clause in ["LIMIT", "OFFSET"] {
            if self.cursor.eat_word(clause) {
                self.cursor.expect(Kind::Number, "a number is expected")?;
            }
        }
        while self.cursor.eat_word("FOR") || self.cursor.eat_word("UPDATE") || self.cursor.eat_word("ALL") {
            loop {
                let word = self
                    .cursor
                    .expect(Kind::Word, "VIEW, REFERENCE, UPDATE, TRACKING, VIEWSTAT or ROWS is expected")?;
                let known = ["VIEW", "REFERENCE", "UPDATE", "TRACKING", "VIEWSTAT", "ROWS"];
                if !known.iter().any(|known| known.eq_ignore_ascii_case(self.cursor.str(word))) {
                    return Err(SearchError::Syntax { at: word.start, what: "VIEW, REFERENCE or UPDATE is expected" });
                }
                if !self.cursor.eat_symbol(",") {
                    break;
                }
            }
        }
        Ok(())
    }

    fn with(&mut self) -> Result<(), SearchError> {
        if ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"].iter().any(|word| self.cursor.eat_word(word)) {
            return Ok(());
        }
        self.cursor.expect_word("DATA", "SECURITY_ENFORCED, USER_MODE or DATA CATEGORY is expected")?;
        self.cursor.expect_word("CATEGORY", "CATEGORY is expected")?;
        loop {
            self.cursor.expect(Kind::Word, "a category group is expected")?;
            if !["AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW"].iter().any(|word| self.cursor.eat_word(word)) {
                return Err(self.cursor.error("AT, ABOVE, BELOW or ABOVE_OR_BELOW is expected"));
            }
            if self.cursor.eat_symbol("(") {
                self.names()?;
                self.cursor.expect_symbol(")", "`)` is expected")?;
            } else {
                self.cursor.expect(Kind::Word, "a category is expected")?;
            }
            if !self.cursor.eat_word("AND") {
                return Ok(());
            }
        }
    }

    fn grouping(&mut self) -> Result<(), SearchError> {
        let rolled = ["ROLLUP", "CUBE"].iter().any(|word| self.cursor.eat_word(word));
        if rolled {
            self.cursor.expect_symbol("(", "`(` is expected")?;
        }
        self.sorted("GROUP BY", |_| Ok(()))?;
        if rolled { self.cursor.expect_symbol(")", "`)` is expected") } else { Ok(()) }
    }

    fn ordering(&mut self) -> Result<(), SearchError> {
        self.sorted("ORDER BY", |parser| {
            let _direction = parser.cursor.eat_word("ASC") || parser.cursor.eat_word("DESC");
            if parser.cursor.eat_word("NULLS") && !parser.cursor.eat_word("FIRST") {
                parser.cursor.expect_word("LAST", "FIRST or LAST is expected")?;
            }
            Ok(())
        })
    }

    /// Fields and functions that `clause` sorts or groups by, each followed by what `suffix` takes.
    fn sorted(
        &mut self,
        clause: &'static str,
        suffix: impl Fn(&mut Self) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        loop {
            let name = self.cursor.expect(Kind::Word, "a field is expected")?;
            if self.cursor.is_symbol("(") {
                self.function(name)?;
            } else {
                self.found.needs_clear(self.field(self.cursor.str(name)), clause)?;
            }
            suffix(self)?;
            if !self.cursor.eat_symbol(",") {
                return Ok(());
            }
        }
    }
}
