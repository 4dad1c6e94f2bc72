use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{DataArgs, SettingsError, given};

/// Where the catalog is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Catalog")]
pub struct CatalogArgs {
    /// sqlite://PATH or postgres://... [default: sqlite://$BACKUP_DATA_DIR/catalog.db]
    #[arg(
        id = "catalog_url",
        long = "catalog-url",
        env = "CATALOG_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: Option<SecretString>,
}

impl CatalogArgs {
    /// The catalog's URL, which may hold a password.
    pub fn url(&self, data: &DataArgs) -> Result<SecretString, SettingsError> {
        if let Some(url) = given(self.url.as_ref()) {
            let text = url.expose_secret();
            if ["sqlite://", "postgres://", "postgresql://"]
                .iter()
                .any(|scheme| text.starts_with(scheme))
            {
                return Ok(url.clone());
            }
            return Err(SettingsError::new(
                "CATALOG_URL is neither sqlite:// nor postgres://",
                "Set it to sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE.",
            ));
        }
        let path = data.absolute()?.join("catalog.db");
        Ok(SecretString::from(format!("sqlite://{}", path.display())))
    }
}
