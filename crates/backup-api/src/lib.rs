//! The HTTP API: routes, log-in, events, metrics. The only crate that knows HTTP and wire JSON.
//!
//! [`Api`] is the state that all requests share, [`serve`] runs it on a socket, [`endpoints`] lists every route. A handler
//! authorises (by its line in that list), makes one domain call, and responds.

mod app;
mod audit;
mod auth;
mod error;
mod events;
mod first_admin;
mod http;
mod language;
mod metrics;
mod oidc;
mod openapi;
mod probes;
mod routes;
mod wire;

pub use app::{Api, ApiSettings, serve};
pub use auth::Access;
pub use auth::account::{MAX_PASSWORD, MIN_PASSWORD, UnfitAccount, check_email, check_password, name_from_email};
pub use auth::network::Network;
pub use auth::password::{HashError, hash_password};
pub use auth::secret::{TOKEN_PREFIX, hash_secret, new_secret, new_token};
pub use error::ApiError;
pub use first_admin::{AdminError, FirstAdmin, create_first_admin};
pub use language::Language;
pub use oidc::OidcSettings;
pub use probes::Probes;
pub use routes::{Endpoint, endpoints};
