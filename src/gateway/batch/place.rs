//! The URL of a call in a batch: as it was written in, the target in origin form that routes map out, and back.

use crate::{
    crm::{LinkOutcome, rewrite_location},
    gateway::snapshot::Site,
    model::Batch,
};

/// Where a call leads, and how its URL was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Origin form.
    pub(super) target: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// With scheme and host: the CRM's are written.
    Absolute,
    /// From the root.
    Rooted,
    /// Relative to this path, which ends with a slash.
    Relative(String),
    /// `$1/…`: what stands for the path, and the reference itself.
    Reference { standin: String, written: String },
}

/// The path that URLs of a batch sent to `vessel` are relative to; `None` where they have to start at the root.
pub(super) fn base(kind: Batch, vessel: &str) -> Option<String> {
    let path = vessel.split('?').next().unwrap_or_default();
    let up = match kind {
        // Relative to the service root (OData 4.01 Part 1 §11.7.7.2).
        Batch::OData => 1,
        // `v60.0/sobjects/…`, in a batch sent to `/services/data/v60.0/composite/batch`.
        Batch::SalesforceBatch => 3,
        Batch::SalesforceComposite => return None,
    };
    let mut base = path;
    for _ in 0..up {
        base = base.rsplit_once('/')?.0;
    }
    Some(format!("{base}/"))
}

impl Place {
    /// Where `url` leads; `None` when that is another host, or cannot be said.
    pub(super) fn of(site: &Site, base: Option<&str>, url: &str) -> Option<Self> {
        if url.starts_with('/') && !url.starts_with("//") {
            return Some(Self { target: url.to_owned(), form: Form::Rooted });
        }
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        let letters = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        // RFC 3986 §3.1: `contacts(a='b:c')` has none.
        if scheme.is_some_and(letters) || url.starts_with("//") {
            let mut origins = site.origins.clone();
            origins.push(site.public_url.clone());
            let LinkOutcome::Rewritten(link) = rewrite_location(url, &origins, "") else { return None };
            return Some(Self { target: link, form: Form::Absolute });
        }
        let base = base?;
        Some(Self { target: format!("{base}{url}"), form: Form::Relative(base.to_owned()) })
    }

    /// Below what `written` refers to, which `standin` stands for; `rest` is what follows.
    pub(super) fn below(standin: String, written: &str, rest: &str) -> Self {
        let target = format!("{standin}{rest}");
        Self { target, form: Form::Reference { standin, written: written.to_owned() } }
    }

    /// `target`, in which every query was answered, in the form in which the URL was written; `None` when it is not below
    /// what it refers to any more.
    pub(super) fn written(&self, site: &Site, target: &str) -> Option<String> {
        let uri = site.upstream.uri(target)?;
        match &self.form {
            Form::Absolute => Some(uri.to_string()),
            Form::Rooted => uri.path_and_query().map(ToString::to_string),
            Form::Relative(base) => match target.strip_prefix(base.as_str()) {
                Some(rest) => Some(rest.to_owned()),
                None => uri.path_and_query().map(ToString::to_string),
            },
            Form::Reference { standin, written } => {
                let rest = target.strip_prefix(standin.as_str())?;
                (rest.is_empty() || rest.starts_with(['/', '?'])).then(|| format!("{written}{rest}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_start_where_the_crm_says() {
        for (kind, vessel, expected) in [
            (Batch::OData, "/api/data/v9.2/$batch?x=/y", Some("/api/data/v9.2/")),
            (Batch::OData, "/$batch", Some("/")),
            (Batch::SalesforceBatch, "/services/data/v60.0/composite/batch", Some("/services/data/")),
            (Batch::SalesforceBatch, "/composite/batch", None),
            (Batch::SalesforceComposite, "/services/data/v60.0/composite", None),
        ] {
            assert_eq!(base(kind, vessel).as_deref(), expected, "{vessel}");
        }
    }
}
