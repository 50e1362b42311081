//! AWS Signature Version 4: a request and credentials in, its `Authorization` out (AWS, "Create a signed AWS API
//! request").

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::{
    crypto::{hex, hmac_sha256, sha256},
    model::{Sensitive, Timestamp},
};

/// Who signs.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Sensitive<String>,
    pub(super) session: Option<Sensitive<String>>,
}

/// What is signed. Headers are lower-case and sorted, and include `host` and `x-amz-date`.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) payload: &'a [u8],
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// `20150830T123600Z`.
pub(super) fn date(now: Timestamp) -> String {
    let text = now.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    digits + "Z"
}

/// The value of `Authorization`. `date` is that of [`date`].
pub(super) fn authorization(credentials: &Credentials, signed: &Signed<'_>, date: &str) -> String {
    let names = signed.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = format!("{}\n{}\n{}\n", signed.method, signed.path, signed.query);
    for (name, value) in signed.headers {
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(&sha256(&[signed.payload])));
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/{}/aws4_request", signed.region, signed.service);
    let message = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&sha256(&[canonical.as_bytes()])));
    let secret = Zeroizing::new(format!("AWS4{}", credentials.secret.expose()));
    let mut key = Zeroizing::new(hmac_sha256(secret.as_bytes(), day.as_bytes()));
    for part in [signed.region, signed.service, "aws4_request"] {
        *key = hmac_sha256(key.as_slice(), part.as_bytes());
    }
    let signature = hex(&hmac_sha256(key.as_slice(), message.as_bytes()));
    format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", credentials.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the AWS documentation.
    #[test]
    fn the_documented_example_is_signed_as_documented() {
        let credentials = Credentials {
            id: "AKIDEXAMPLE".into(),
            secret: String::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").into(),
            session: None,
        };
        let date = date(Timestamp::from_seconds(1_440_938_160));
        assert_eq!(date, "20150830T123600Z");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", &date),
        ];
        let signed = Signed {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &headers,
            payload: b"",
            region: "us-east-1",
            service: "iam",
        };
        assert_eq!(
            authorization(&credentials, &signed, &date),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
