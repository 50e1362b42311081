//! `fieldgate serve`: runs the gateway until SIGTERM or Ctrl-C; SIGHUP or a changed file reloads.

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::{
    config::{Config, LogFormat, LogSettings},
    gateway::{Gateway, StartError},
    keyring,
};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    log_to_stderr(&config.log)?;
    // Before the first key is read.
    keyring::harden();
    let gateway = Gateway::start(&config).map_err(failure)?;
    let reason = wait(&gateway).map_err(|error| Failure::system(error, "free system resources and start again"))?;
    tracing::info!(reason, "draining");
    gateway.stop().map_err(failure)
}

/// Makes a start-up error a failure of the command.
pub(super) fn failure(error: StartError) -> Failure {
    match error {
        StartError::Configuration(diagnostics) => Failure::Configuration(diagnostics),
        StartError::Audit { what, help } => Failure::System { what, help, code: 74 },
        StartError::System { what, help } => Failure::System { what, help, code: 71 },
    }
}

fn wait(gateway: &Gateway) -> std::io::Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok("SIGTERM"),
                _ = interrupt.recv() => return Ok("SIGINT"),
                _ = hang_up.recv() => {
                    // Reported by the gateway; a broken configuration changes nothing.
                    let _ = gateway.reload();
                }
            }
        }
    })
}

/// Starts diagnostics on standard error.
pub(super) fn log_to_stderr(settings: &LogSettings) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.level)
        .map_err(|error| Failure::usage(error, "correct `log.level`, for example `info`"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process (the demo) keeps the first subscriber.
    let _ = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
