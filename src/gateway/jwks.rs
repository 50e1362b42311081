//! Issuers' keys: fetched when they are due or when a token names a key nobody knows, bounded in size, time and frequency.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    identity::{Identity, KeySource},
    tls,
};

/// A key document at most, in bytes.
const MAX_DOCUMENT_BYTES: usize = 512 * 1024;

/// One fetch at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token with an unknown key asks for a fetch at most this often, so that callers cannot make us flood the issuer.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// When each URL was last asked.
#[derive(Default)]
pub(super) struct Fetcher {
    asked: BTreeMap<String, Instant>,
}

impl Fetcher {
    /// Fetches what is due for `identity`. An issuer that is down keeps the keys it had.
    pub(super) async fn round(&mut self, identity: &Identity) {
        let wanted = identity.keys_wanted();
        for source in identity.key_sources() {
            let age = self.asked.get(&source.url).map(Instant::elapsed);
            let due = age.is_none_or(|age| {
                age >= Duration::from_secs(source.refresh_seconds) || (wanted && age >= AT_MOST_EVERY)
            });
            if !due {
                continue;
            }
            self.asked.insert(source.url.clone(), Instant::now());
            install(identity, &source).await;
        }
    }
}

async fn install(identity: &Identity, source: &KeySource) {
    let fetched = tokio::time::timeout(PATIENCE, fetch(&source.url)).await;
    let fetched = fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    match fetched
        .and_then(|document| identity.install_keys(&source.issuer, &document).map_err(|error| error.to_string()))
    {
        Ok(_) => tracing::info!(issuer = source.issuer, "keys of the issuer were read"),
        Err(error) => {
            tracing::warn!(issuer = source.issuer, error, "keys of the issuer were not read, the known ones stay");
        }
    }
}

async fn fetch(url: &str) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let host = uri.host().ok_or("the URL has no host")?.trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !secure && !loopback {
        return Err("keys are fetched over https only (http is accepted for loopback)".to_owned());
    }
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !secure {
        return get(stream, &uri).await;
    }
    let config = tls::client_config(&tls::ClientSettings::default(), &|path| PathBuf::from(path), "identity.jwt")
        .map_err(|_| "the system's root certificates cannot be read".to_owned())?;
    let name = tls::server_name(&host).ok_or("the host is not a name")?;
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(&config)).connect(name, stream).await;
    get(stream.map_err(|error| error.to_string())?, &uri).await
}

async fn get<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, uri: &Uri) -> Result<Bytes, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the issuer answered {}", response.status().as_u16()));
    }
    #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
    let body = Limited::new(response.into_body(), MAX_DOCUMENT_BYTES).collect().await;
    connection.abort();
    Ok(body.map_err(|_| "the document is too large or stopped half-way".to_owned())?.to_bytes())
}
