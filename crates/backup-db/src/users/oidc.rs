//! People who log in through OpenID Connect.

use backup_core::user::{Role, User};
use diesel::prelude::*;

use super::{NewUser, UserRow, insert, keep_an_admin};
use crate::error::{TxError, TxResult};
use crate::schema::users;
use crate::store::Tx;
use crate::types::Word;
use crate::{Error, Store};

/// A person, as an OpenID Connect provider has just vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcPerson {
    /// Whom the provider means, for ever. Unique among all providers: it names the issuer too.
    pub subject: String,
    /// The e-mail address, where the provider tells one.
    pub email: Option<String>,
    /// Whether the provider has made sure that the address is the person's own.
    pub email_is_verified: bool,
    /// What a new user is called.
    pub display_name: String,
    /// What the person may do; `None`: the provider has no say in it.
    pub role: Option<Role>,
}

/// Which user a person is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OidcMatch {
    /// This one.
    User {
        /// The user, with its role as it is now.
        user: User,
        /// How the user was found.
        found: OidcFound,
        /// What became of the role.
        role: OidcRole,
    },
    /// None; nothing was changed.
    Refused(OidcRefusal),
}

/// How the user of a person was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcFound {
    /// By the subject.
    BySubject,
    /// By the verified e-mail address of a user that had no subject, and has this one from now on.
    ByEmail,
    /// Not at all: it was made.
    Made,
}

/// What became of a user's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcRole {
    /// It is as it was.
    Kept,
    /// It follows the provider's.
    Changed,
    /// The provider says VIEWER, and the user stays ADMIN, being the last one.
    LastAdmin,
}

/// Why a person is no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcRefusal {
    /// The user may not log in.
    Inactive,
    /// The e-mail address is another user's, and the person is not proved to be that one: the address is not verified, or
    /// that user has another subject.
    EmailTaken,
    /// A user would have to be made, and there is no e-mail address.
    NoEmail,
}

impl Store {
    /// The user that a person is: by the subject; else by a verified e-mail address that is the one of a user without a
    /// subject, which is linked; else a new user. An address that is not verified never finds anybody. The role follows
    /// the provider's, where it has a say, but for the last administrator's.
    pub async fn match_oidc_person(&self, person: OidcPerson) -> Result<OidcMatch, Error> {
        self.write("match_oidc_person", move |tx| {
            let (mut row, found) = match by_subject_or_email(tx, &person)? {
                Ok(Some(found)) => found,
                Ok(None) => return make(tx, &person),
                Err(refusal) => return Ok(OidcMatch::Refused(refusal)),
            };
            if !row.is_active {
                return Ok(OidcMatch::Refused(OidcRefusal::Inactive));
            }
            if found == OidcFound::ByEmail {
                diesel::update(users::table.filter(users::id.eq(row.id.0.to_string())))
                    .set(users::oidc_subject.eq(&person.subject))
                    .execute(tx.db)?;
            }
            let role = follow(tx, &mut row, person.role)?;
            Ok(OidcMatch::User {
                user: row.into(),
                found,
                role,
            })
        })
        .await
    }
}

type Found = Result<Option<(UserRow, OidcFound)>, OidcRefusal>;

fn by_subject_or_email(tx: &mut Tx<'_>, person: &OidcPerson) -> TxResult<Found> {
    let row: Option<UserRow> = users::table
        .filter(users::oidc_subject.eq(&person.subject))
        .select(UserRow::as_select())
        .first(tx.db)
        .optional()?;
    if let Some(row) = row {
        return Ok(Ok(Some((row, OidcFound::BySubject))));
    }
    let Some(email) = &person.email else {
        return Ok(Err(OidcRefusal::NoEmail));
    };
    let row: Option<UserRow> = users::table
        .filter(users::email.eq(email.trim().to_lowercase()))
        .select(UserRow::as_select())
        .first(tx.db)
        .optional()?;
    Ok(match row {
        None => Ok(None),
        Some(row) if person.email_is_verified && row.oidc_subject.is_none() => Ok(Some((row, OidcFound::ByEmail))),
        Some(_) => Err(OidcRefusal::EmailTaken),
    })
}

fn make(tx: &mut Tx<'_>, person: &OidcPerson) -> TxResult<OidcMatch> {
    let new = NewUser {
        id: tx.id()?,
        email: person.email.clone().unwrap_or_default(),
        display_name: person.display_name.clone(),
        role: person.role.unwrap_or(Role::Viewer),
        password_hash: None,
        oidc_subject: Some(person.subject.clone()),
    };
    Ok(OidcMatch::User {
        user: insert(tx, &new, true)?,
        found: OidcFound::Made,
        role: OidcRole::Kept,
    })
}

fn follow(tx: &mut Tx<'_>, row: &mut UserRow, role: Option<Role>) -> TxResult<OidcRole> {
    let Some(role) = role.filter(|role| *role != row.role.0) else {
        return Ok(OidcRole::Kept);
    };
    if role != Role::Admin {
        match keep_an_admin(tx, row) {
            Err(TxError::Domain(Error::LastAdmin)) => return Ok(OidcRole::LastAdmin),
            other => other?,
        }
    }
    diesel::update(users::table.filter(users::id.eq(row.id.0.to_string())))
        .set(users::role.eq(role.as_str()))
        .execute(tx.db)?;
    row.role = Word(role);
    Ok(OidcRole::Changed)
}
