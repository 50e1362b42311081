//! The gateway's own credential for a CRM: a header from a file.

use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};

use super::{Settings, headers};
use crate::model::{Problem, Sensitive};

/// Largest credential file, bytes.
pub(crate) const CREDENTIAL_BYTES: usize = 8 * 1024;

/// A header that is added to every request of an upstream.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) name: HeaderName,
    /// Marked as sensitive: never printed, never indexed by HPACK.
    pub(crate) value: HeaderValue,
}

/// Reads the credential of `settings`, if it has one.
pub(crate) fn load(
    settings: &Settings,
    resolve: &dyn Fn(&Path) -> PathBuf,
    at: &str,
) -> Result<Option<Credential>, Problem> {
    let (header, file) = match (&settings.credential_header, &settings.credential_file) {
        (None, None) => return Ok(None),
        (Some(header), Some(file)) => (header, file),
        (Some(_), None) => {
            return Err(Problem::new(
                format!("{at}.credential_file"),
                "`credential_header` has no value",
                "name the file that holds the credential in `credential_file`",
            ));
        }
        (None, Some(_)) => {
            return Err(Problem::new(
                format!("{at}.credential_header"),
                "`credential_file` has no header",
                "name the header in `credential_header`, for example `Authorization`",
            ));
        }
    };
    let name =
        HeaderName::from_bytes(header.as_bytes()).ok().filter(headers::may_carry_credential).ok_or_else(|| {
            Problem::new(
                format!("{at}.credential_header"),
                format!("`{header}` cannot carry a credential"),
                "use a header that the gateway does not set itself, for example `Authorization`",
            )
        })?;
    if settings.pass_authorization && name == http::header::AUTHORIZATION {
        return Err(Problem::new(
            format!("{at}.pass_authorization"),
            "the credential and the caller would both be `Authorization`",
            "set `pass_authorization = false`, or use another header for the credential",
        ));
    }
    let path = resolve(file);
    let file_problem = |what: String, help: &str| Problem::new(format!("{at}.credential_file"), what, help);
    let unreadable = |error: &dyn std::fmt::Display| {
        file_problem(format!("`{}` cannot be read: {error}", path.display()), "check the path and who may read it")
    };
    let length = std::fs::metadata(&path).map_err(|error| unreadable(&error))?.len();
    if length > CREDENTIAL_BYTES as u64 {
        return Err(unreadable(&"it is larger than 8 KiB"));
    }
    let bytes = Sensitive::new(std::fs::read(&path).map_err(|error| unreadable(&error))?);
    let trimmed = bytes.expose().trim_ascii();
    let is_text = !trimmed.is_empty() && trimmed.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match HeaderValue::from_bytes(trimmed) {
        Ok(mut value) if is_text => {
            value.set_sensitive(true);
            Ok(Some(Credential { name, value }))
        }
        _ => Err(file_problem(
            format!("`{}` is empty or not one line of visible ASCII", path.display()),
            "write the value of the header as it is sent, and nothing else",
        )),
    }
}
