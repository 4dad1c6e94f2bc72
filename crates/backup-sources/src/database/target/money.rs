//! Amounts of money are read by a locale. `pg_dump` writes them by the database's and does not say which it was, so that under
//! another one `pg_restore` would be refused them, or take `12,50` for 1250
//! (<https://www.postgresql.org/docs/current/datatype-money.html>).

use backup_core::restore::{Refusal, RefusalCode};
use backup_core::{JobControl, WarningCode};

use super::DatabaseTarget;
use crate::Error;
use crate::database::about::{About, Formats};
use crate::database::psql::literal;
use crate::database::server::Program;

impl DatabaseTarget {
    /// The locale by which the server reads amounts of money as the dump has them: the one they were written by, else another that
    /// writes them alike. `None` where the server has none; mostly there is no money then, and it does not matter.
    pub(super) fn money_locale(&self, about: &About, job: &JobControl) -> Result<Option<String>, Error> {
        let Some(formats) = &about.formats else {
            return Ok(None);
        };
        let Some(recorded) = &formats.lc_monetary else {
            return Ok(None);
        };
        if self.reads_by(recorded, None, job)? {
            return Ok(Some(recorded.clone()));
        }
        let Some(written) = &formats.money else {
            return Ok(None);
        };
        let own = (self.maintenance(job)?).query_one("SELECT to_json(current_setting('lc_monetary'))")?;
        for locale in [own, "C".to_owned()] {
            if self.reads_by(&locale, Some(written), job)? {
                return Ok(Some(locale));
            }
        }
        Ok(None)
    }

    /// Whether the server knows this locale, and writes by it what was `written` in the same way.
    fn reads_by(&self, locale: &str, written: Option<&str>, job: &JobControl) -> Result<bool, Error> {
        let mut session = self.maintenance(job)?;
        let known = session.execute(&format!("SET lc_monetary TO {}", literal(locale)));
        let read = known.and_then(|()| match written.map(literal) {
            Some(written) => session.query_one(&format!("SELECT to_json({written}::money::text = {written})")),
            None => Ok(true),
        });
        match read {
            // It does not know the one, or cannot read the other.
            Err(Error::Failed { .. }) => Ok(false),
            read => read,
        }
    }

    /// Lets `program` read amounts of money as the dump has them. Where the server cannot, it is told.
    pub(super) fn read_money(&self, about: &About, program: &mut Program, job: &JobControl) -> Result<(), Error> {
        if let Some(locale) = self.money_locale(about, job)? {
            program.set_to("lc_monetary", &locale);
        } else if let Some(text) = self.unread_money(about, job)? {
            job.warn(WarningCode::Other, None, text);
        }
        Ok(())
    }

    /// A reason against the restore where the server cannot read the amounts of money that the backup has. None against that of
    /// single tables, which may have none: there it is told.
    pub(super) fn locale_missing(&self, about: &About, job: &JobControl) -> Result<Option<Refusal>, Error> {
        if !self.options.tables.is_empty() {
            return Ok(None);
        }
        let missing = self.unread_money(about, job)?;
        Ok(missing.map(|message| {
            Refusal::new(
                RefusalCode::LocaleMissing,
                message,
                "Install that locale on the server, and restart PostgreSQL there.",
            )
        }))
    }

    /// What is to be told where the server cannot read the amounts of money that the backup has.
    pub(super) fn unread_money(&self, about: &About, job: &JobControl) -> Result<Option<String>, Error> {
        let Some(Formats {
            lc_monetary: Some(locale),
            money: Some(written),
            ..
        }) = &about.formats
        else {
            return Ok(None);
        };
        let is_read = self.money_locale(about, job)?.is_some();
        Ok((!is_read).then(|| {
            format!(
                "the server on {} lacks the locale {locale}, by which the backup has amounts of money: it would refuse what is \
                 written like {written}, or take it for another amount",
                self.settings.address()
            )
        }))
    }
}
