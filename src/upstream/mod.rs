//! A prepared request in, the CRM's response out: pooled and verified TLS, header hygiene in both directions. A request
//! leaves only with a `Permit`. Never looks at what a body means.

mod body;
mod cidr;
mod coding;
mod connect;
mod credential;
mod error;
pub mod headers;
mod pool;
mod settings;
mod target;

pub use body::Body;
pub use error::UpstreamError;
pub use pool::Pool;
pub use settings::Settings;
pub use target::Upstream;
