//! How the server is reached: TLS with a checked certificate, or a connection that does not leave this machine.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres::{
    Client, Config,
    config::{ChannelBinding, Host, SslMode},
};

use super::{
    super::{Settings, VaultError, store::private},
    tls::Connector,
};

/// How a connection is made.
pub(super) struct Route {
    config: Config,
    connector: Connector,
}

impl Route {
    pub(super) fn new(url: &str, settings: &Settings) -> Result<Self, VaultError> {
        let mut config =
            Config::from_str(url).map_err(|_| VaultError::Unavailable("`url` cannot be read".to_owned()))?;
        let explicit = url.contains("sslmode=");
        match (is_local(&config), explicit, config.get_ssl_mode()) {
            (true, false, _) => drop(config.ssl_mode(SslMode::Disable)),
            (true, true, _) | (false, true, SslMode::Require) => {}
            (false, true, _) => {
                return Err(VaultError::Unavailable(
                    "`url` allows a connection without TLS to another machine".to_owned(),
                ));
            }
            (false, false, _) => drop(config.ssl_mode(SslMode::Require)),
        }
        if let Some(file) = &settings.password_file {
            private(file, 0o600)?;
            let text = std::fs::read_to_string(file).map_err(VaultError::file(file))?;
            config.password(text.trim_end_matches(['\r', '\n']));
        }
        config
            .connect_timeout(CONNECT)
            .keepalives_idle(KEEPALIVE)
            .tcp_user_timeout(CONNECT)
            .channel_binding(ChannelBinding::Disable)
            .application_name("fieldgate")
            .options(format!(
                "-c statement_timeout={} -c default_transaction_isolation=read\\ committed",
                settings.statement_millis
            ));
        let roots = roots(settings.ca_file.as_deref())?;
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config, connector: Connector(Arc::new(tls)) })
    }

    /// A new connection, driven by the runtime this is called on.
    pub(super) async fn connect(&self) -> Result<Client, VaultError> {
        let (client, connection) = self.config.connect(self.connector.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = %error, "connection to the vault's server ended");
            }
        });
        Ok(client)
    }
}

/// Whether no packet leaves this machine.
fn is_local(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    let names = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    });
    if addresses.is_empty() { names } else { addresses.iter().all(std::net::IpAddr::is_loopback) }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, VaultError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(VaultError::file(path))?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                let bad = || VaultError::Unavailable("`ca_file` holds something else than certificates".to_owned());
                roots.add(certificate.map_err(|_| bad())?).map_err(|_| bad())?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(roots)
}

/// Longest wait for a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
const KEEPALIVE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, VaultError> {
        Route::new(url, &Settings::default()).map(|route| route.config.get_ssl_mode())
    }

    #[test]
    fn only_connections_that_stay_on_this_machine_go_without_tls() {
        for url in ["postgres://fg@localhost/x", "postgres://fg@127.0.0.1/x", "postgres://fg@%2Frun%2Fpostgresql/x"] {
            assert_eq!(mode(url).unwrap(), SslMode::Disable, "{url}");
        }
        assert_eq!(mode("postgres://fg@localhost/x?sslmode=require").unwrap(), SslMode::Require);
        assert_eq!(mode("postgres://fg@db.example.com/x").unwrap(), SslMode::Require);
        assert_eq!(mode("postgres://fg@localhost/x?hostaddr=192.0.2.1").unwrap(), SslMode::Require);
        for url in
            ["postgres://fg@192.0.2.1/x?sslmode=prefer", "postgres://fg@localhost,db.example.com/x?sslmode=disable"]
        {
            assert!(mode(url).is_err(), "{url}");
        }
    }
}
