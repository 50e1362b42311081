//! `[vault]` of the configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::model::Problem;

/// Where subject keys, tokens and links are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The folder of the embedded store, mode 0700; made by `fieldgate vault init`. Default `vault`. With `url` it
    /// holds nothing.
    pub dir: PathBuf,
    /// `postgres://user@host/database` of a server that several gateways share. Default: none, the embedded store.
    pub url: Option<String>,
    /// File with the password for `url`, mode 0600. A password inside `url` is refused: configuration files get copied.
    pub password_file: Option<PathBuf>,
    /// File with the certificates (PEM) that the server of `url` is checked with. Default: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Domain of e-mail tokens: yours, and with a null MX record (RFC 7505). Default: none, no e-mail tokens.
    pub token_domain: Option<String>,
    /// Memory for cached pages of the embedded store, in MiB: 8–65536, default 256.
    pub cache_mib: usize,
    /// Longest wait for one statement of PostgreSQL, in milliseconds: 50–60000, default 2000.
    pub statement_millis: u32,
    /// Connections to PostgreSQL: 1–64, default 4.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("vault"),
            url: None,
            password_file: None,
            ca_file: None,
            token_domain: None,
            cache_mib: 256,
            statement_millis: 2_000,
            connections: 4,
        }
    }
}

impl Settings {
    /// Settings for the embedded store in `dir`, everything else as by default.
    #[must_use]
    pub fn embedded(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..Self::default() }
    }

    /// The same with files and folders that start at `base`.
    #[must_use]
    pub fn at(&self, base: &Path) -> Self {
        let at = |file: &Option<PathBuf>| file.as_ref().map(|file| base.join(file));
        Self {
            dir: base.join(&self.dir),
            password_file: at(&self.password_file),
            ca_file: at(&self.ca_file),
            ..self.clone()
        }
    }

    /// Where the vault is, to be shown.
    #[must_use]
    pub fn place(&self) -> String {
        self.url.clone().unwrap_or_else(|| self.dir.display().to_string())
    }

    /// The values that are out of range or contradict each other.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("cache_mib", self.cache_mib, 8, 65_536),
            ("statement_millis", self.statement_millis as usize, 50, 60_000),
            ("connections", self.connections, 1, 64),
        ];
        let outside = ranges.into_iter().filter(|(_, value, low, high)| !(low..=high).contains(&value));
        let mut problems: Vec<_> = outside
            .map(|(key, value, low, high)| {
                let what = format!("`{key}` is {value}, which is out of range");
                Problem::new(format!("vault.{key}"), what, format!("choose a number from {low} to {high}"))
            })
            .collect();
        if let Some(domain) = &self.token_domain
            && !is_domain(domain)
        {
            problems.push(Problem::new(
                "vault.token_domain",
                "not a domain in lower case",
                "write a domain of yours such as `fg.example.com`, at most 50 characters",
            ));
        }
        if let Some(url) = &self.url {
            problems.extend(url_problem(url));
        }
        problems
    }
}

fn url_problem(url: &str) -> Option<Problem> {
    let help = "write `postgres://user@host/database`, and the password into `password_file`";
    let scheme = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let Some(rest) = scheme else {
        return Some(Problem::new("vault.url", "not an address of PostgreSQL", help));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let secret = user.contains(':') || rest.contains("password=");
    secret.then(|| Problem::new("vault.url", "a password stands in the configuration", help))
}

/// Longest token domain: 29 characters of a token and this one fit into a column of 80.
const MAX_DOMAIN_CHARS: usize = 50;

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
    };
    text.len() <= MAX_DOMAIN_CHARS && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        toml::from_str::<Settings>(text).unwrap().problems().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn nothing_is_needed_and_unknown_keys_are_refused() {
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
        assert!(toml::from_str::<Settings>("folder = 'x'").is_err());
    }

    #[test]
    fn limits_hold_at_the_limit_and_not_past_it() {
        for (key, low, high) in [("cache_mib", 8, 65_536), ("statement_millis", 50, 60_000), ("connections", 1, 64)] {
            assert!(paths(&format!("{key} = {low}")).is_empty());
            assert!(paths(&format!("{key} = {high}")).is_empty());
            assert_eq!(paths(&format!("{key} = {}", low - 1)), [format!("vault.{key}")]);
            assert_eq!(paths(&format!("{key} = {}", high + 1)), [format!("vault.{key}")]);
        }
        let domain = |chars: usize| format!("token_domain = '{}.example.com'", "a".repeat(chars - 12));
        assert!(paths(&domain(MAX_DOMAIN_CHARS)).is_empty());
        assert_eq!(paths(&domain(MAX_DOMAIN_CHARS + 1)), ["vault.token_domain"]);
    }

    #[test]
    fn passwords_do_not_stand_in_the_configuration() {
        assert!(paths("url = 'postgres://fg@db.example.com/fieldgate'").is_empty());
        for url in ["postgres://fg:secret@db/x", "postgresql://db/x?password=secret", "mysql://db/x"] {
            assert_eq!(paths(&format!("url = '{url}'")), ["vault.url"], "{url}");
        }
    }
}
