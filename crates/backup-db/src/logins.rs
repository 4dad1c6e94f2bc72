//! Failed log-ins, counted in the catalog so that the limit holds for all processes and across restarts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::schema::login_failures;
use crate::types::Time;
use crate::{Error, Store};

/// How many failures are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// Failures older than this no longer count.
    pub window: Duration,
    /// Failures of one account from one address.
    pub per_account_and_address: u32,
    /// Failures of one account, from wherever: more, since anybody may make them and so lock its owner out.
    pub per_account: u32,
    /// Failures from one address, for whichever account.
    pub per_address: u32,
}

/// Failures older than this are of no use to any limit.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(1);

impl Store {
    /// Records a failed log-in. The account need not exist.
    pub async fn record_login_failure(&self, account: &str, address: &str) -> Result<(), Error> {
        let (account, address) = (account_key(account), address.to_owned());
        self.write("record_login_failure", move |tx| {
            let id: uuid::Uuid = tx.id()?;
            diesel::insert_into(login_failures::table)
                .values((
                    login_failures::id.eq(id.to_string()),
                    login_failures::account.eq(&account),
                    login_failures::address.eq(&address),
                    login_failures::failed_at.eq(tx.now.naive_utc()),
                ))
                .execute(tx.db)?;
            let forgotten = (tx.now - FORGOTTEN_AFTER).naive_utc();
            diesel::delete(login_failures::table.filter(login_failures::failed_at.lt(forgotten))).execute(tx.db)?;
            Ok(())
        })
        .await
    }

    /// How long the account or the address has to wait before it may try again; `None`: it may try now.
    pub async fn too_many_logins(
        &self,
        account: &str,
        address: &str,
        limits: LoginLimits,
    ) -> Result<Option<Duration>, Error> {
        let (account, address) = (account_key(account), address.to_owned());
        self.read("too_many_logins", move |tx| {
            let window = TimeDelta::from_std(limits.window)
                .unwrap_or(FORGOTTEN_AFTER)
                .min(FORGOTTEN_AFTER);
            let since = (tx.now - window).naive_utc();
            // What lies further ahead than this is from a clock that was wrong, and would count until then.
            let ahead = (tx.now + window).naive_utc();
            // The failure that, once it is out of the window, leaves fewer than the limit in it.
            let latest = || {
                login_failures::table
                    .filter(login_failures::failed_at.gt(since))
                    .filter(login_failures::failed_at.le(ahead))
                    .order(login_failures::failed_at.desc())
                    .select(login_failures::failed_at)
            };
            let last_of = |limit: u32| i64::from(limit.max(1)) - 1;
            let of_both: Option<Time> = latest()
                .filter(login_failures::account.eq(&account))
                .filter(login_failures::address.eq(&address))
                .offset(last_of(limits.per_account_and_address))
                .first(tx.db)
                .optional()?;
            let of_account: Option<Time> = latest()
                .filter(login_failures::account.eq(&account))
                .offset(last_of(limits.per_account))
                .first(tx.db)
                .optional()?;
            let of_address: Option<Time> = latest()
                .filter(login_failures::address.eq(&address))
                .offset(last_of(limits.per_address))
                .first(tx.db)
                .optional()?;
            let failures = [of_both, of_account, of_address];
            let until: Option<DateTime<Utc>> = failures.into_iter().flatten().map(|at| at.0 + window).max();
            Ok(until
                .and_then(|until| (until - tx.now).to_std().ok())
                .filter(|wait| !wait.is_zero()))
        })
        .await
    }

    /// Forgets the failures of an account, after it logged in. Those of the address stay: one good account must not open the
    /// door to guessing the others.
    pub async fn clear_login_failures(&self, account: &str) -> Result<(), Error> {
        let account = account_key(account);
        self.write("clear_login_failures", move |tx| {
            // The rows stay for the address; only the account's name goes.
            diesel::update(login_failures::table.filter(login_failures::account.eq(&account)))
                .set(login_failures::account.eq(""))
                .execute(tx.db)?;
            Ok(())
        })
        .await
    }
}

fn account_key(account: &str) -> String {
    account.trim().to_lowercase()
}
