//! People who may log in.

mod oidc;

pub use oidc::{OidcFound, OidcMatch, OidcPerson, OidcRefusal, OidcRole};

use backup_core::user::{Role, User};
use backup_core::{SessionId, UserId};
use diesel::prelude::*;

use crate::error::{TxError, TxResult};
use crate::schema::{sessions, users};
use crate::store::Tx;
use crate::types::{Time, Word, time};
use crate::{Error, Store};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: Word<UserId>,
    email: String,
    display_name: String,
    role: Word<Role>,
    password_hash: Option<String>,
    oidc_subject: Option<String>,
    is_active: bool,
    created_at: Time,
    last_login_at: Option<Time>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.0,
            email: row.email,
            display_name: row.display_name,
            role: row.role.0,
            is_active: row.is_active,
            created_at: row.created_at.0,
            last_login_at: time(row.last_login_at),
        }
    }
}

/// A user to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its identifier.
    pub id: UserId,
    /// The e-mail address; stored in lower case, unique.
    pub email: String,
    /// What the person is called.
    pub display_name: String,
    /// What the person may do.
    pub role: Role,
    /// Argon2id hash of the password; `None`: logs in through OpenID Connect only.
    pub password_hash: Option<String>,
    /// The subject that the OpenID Connect provider knows the person by, unique.
    pub oidc_subject: Option<String>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// What is to change of a user; `None` leaves it as it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserChanges {
    /// What the person is called.
    pub display_name: Option<String>,
    /// What the person may do.
    pub role: Option<Role>,
    /// Whether the person may log in at all.
    pub is_active: Option<bool>,
    /// Argon2id hash of a new password.
    pub password_hash: Option<String>,
    /// The session that outlives a new password: that of the person who sets their own.
    pub keep_session: Option<SessionId>,
}

impl std::fmt::Debug for UserChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserChanges")
            .field("display_name", &self.display_name)
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// A user with what is needed to check who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCredentials {
    /// The user.
    pub user: User,
    /// Argon2id hash of the password, where the person has one.
    pub password_hash: Option<String>,
    /// The subject that the OpenID Connect provider knows the person by.
    pub oidc_subject: Option<String>,
}

impl std::fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserCredentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes the first administrator, where there is none who can log in: no user at all, or only those that a rebuilt catalog
    /// brought back, of whom one with the same e-mail address becomes it. `None`: there is one already, and nothing was
    /// changed.
    pub async fn create_first_admin(&self, new: NewUser) -> Result<Option<User>, Error> {
        self.write("create_first_admin", move |tx| {
            let admins: i64 = users::table
                .filter(users::role.eq(Role::Admin.as_str()))
                .filter(users::is_active.eq(true))
                .count()
                .get_result(tx.db)?;
            if admins > 0 {
                return Ok(None);
            }
            let new = NewUser {
                role: Role::Admin,
                ..new.clone()
            };
            match revive_or_insert(tx, &new) {
                // Somebody else of that address, who may do less: not ours to change.
                Err(TxError::Domain(Error::AlreadyExists { .. })) => Ok(None),
                made => made.map(Some),
            }
        })
        .await
    }

    /// Makes a user, or lets one log in whom a rebuilt catalog brought back without a password, under the name and the
    /// identifier that it had.
    ///
    /// # Errors
    /// As [`Self::create_user`], where the e-mail address is that of a user who has a password or a subject.
    pub async fn create_or_revive_user(&self, new: NewUser) -> Result<User, Error> {
        self.write("create_or_revive_user", move |tx| revive_or_insert(tx, &new))
            .await
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the e-mail address or the subject is taken.
    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        self.create_user_as(new, true).await
    }

    /// Makes a user who may log in, or not yet.
    ///
    /// # Errors
    /// As [`Self::create_user`].
    pub async fn create_user_as(&self, new: NewUser, is_active: bool) -> Result<User, Error> {
        self.write("create_user", move |tx| insert(tx, &new, is_active)).await
    }

    /// A user by identifier.
    pub async fn get_user(&self, id: UserId) -> Result<Option<User>, Error> {
        self.read("get_user", move |tx| Ok(find(tx, id)?.map(Into::into))).await
    }

    /// A user by e-mail address, whatever its case.
    pub async fn find_user_by_email(&self, email: &str) -> Result<Option<UserCredentials>, Error> {
        let email = email.trim().to_lowercase();
        self.read("find_user_by_email", move |tx| {
            let row: Option<UserRow> = users::table
                .filter(users::email.eq(&email))
                .select(UserRow::as_select())
                .first(tx.db)
                .optional()?;
            Ok(row.map(credentials))
        })
        .await
    }

    /// A user by the subject that the OpenID Connect provider knows it by; see [`OidcPerson::subject`].
    pub async fn find_user_by_oidc_subject(&self, subject: &str) -> Result<Option<UserCredentials>, Error> {
        let subject = subject.to_owned();
        self.read("find_user_by_oidc_subject", move |tx| {
            let row: Option<UserRow> = users::table
                .filter(users::oidc_subject.eq(&subject))
                .select(UserRow::as_select())
                .first(tx.db)
                .optional()?;
            Ok(row.map(credentials))
        })
        .await
    }

    /// Every user, by e-mail address.
    pub async fn list_users(&self) -> Result<Vec<User>, Error> {
        self.read("list_users", |tx| {
            let rows: Vec<UserRow> = users::table
                .order(users::email)
                .select(UserRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    /// Changes of a user what is given, and nothing else. Who may no longer log in loses every session, and a new password
    /// ends those that the old one opened, but for the one that [`UserChanges::keep_session`] names.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::LastAdmin`] where no administrator would be left who can log in.
    pub async fn update_user(&self, id: UserId, changes: UserChanges) -> Result<User, Error> {
        self.write("update_user", move |tx| {
            let mut row = find(tx, id)?.ok_or_else(|| Error::not_found("user", &id))?;
            let role = changes.role.unwrap_or(row.role.0);
            let is_active = changes.is_active.unwrap_or(row.is_active);
            if role != Role::Admin || !is_active {
                keep_an_admin(tx, &row)?;
            }
            row.role = Word(role);
            row.is_active = is_active;
            row.display_name = changes.display_name.clone().unwrap_or(row.display_name);
            row.password_hash = changes.password_hash.clone().or(row.password_hash);
            diesel::update(users::table.filter(users::id.eq(id.to_string())))
                .set((
                    users::display_name.eq(&row.display_name),
                    users::role.eq(role.as_str()),
                    users::is_active.eq(is_active),
                    users::password_hash.eq(&row.password_hash),
                ))
                .execute(tx.db)?;
            if !is_active {
                end_sessions(tx, id, None)?;
            } else if changes.password_hash.is_some() {
                end_sessions(tx, id, changes.keep_session)?;
            }
            Ok(row.into())
        })
        .await
    }

    /// Removes a user with its sessions and the tokens it made; what it did stays in the audit log.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::LastAdmin`].
    pub async fn delete_user(&self, id: UserId) -> Result<(), Error> {
        self.write("delete_user", move |tx| {
            let row = find(tx, id)?.ok_or_else(|| Error::not_found("user", &id))?;
            keep_an_admin(tx, &row)?;
            diesel::delete(users::table.filter(users::id.eq(id.to_string()))).execute(tx.db)?;
            Ok(())
        })
        .await
    }

    /// Records that a user has just logged in.
    pub async fn record_login(&self, id: UserId) -> Result<(), Error> {
        self.write("record_login", move |tx| {
            diesel::update(users::table.filter(users::id.eq(id.to_string())))
                .set(users::last_login_at.eq(tx.now.naive_utc()))
                .execute(tx.db)?;
            Ok(())
        })
        .await
    }
}

fn credentials(mut row: UserRow) -> UserCredentials {
    UserCredentials {
        password_hash: row.password_hash.take(),
        oidc_subject: row.oidc_subject.take(),
        user: row.into(),
    }
}

pub(crate) fn find(tx: &mut Tx<'_>, id: UserId) -> TxResult<Option<UserRow>> {
    Ok(users::table
        .filter(users::id.eq(id.to_string()))
        .select(UserRow::as_select())
        .first(tx.db)
        .optional()?)
}

/// See [`Store::create_or_revive_user`].
fn revive_or_insert(tx: &mut Tx<'_>, new: &NewUser) -> TxResult<User> {
    let revived = diesel::update(
        users::table
            .filter(users::email.eq(new.email.trim().to_lowercase()))
            .filter(users::is_active.eq(false))
            .filter(users::password_hash.is_null())
            .filter(users::oidc_subject.is_null()),
    )
    .set((
        users::role.eq(new.role.as_str()),
        users::password_hash.eq(&new.password_hash),
        users::oidc_subject.eq(&new.oidc_subject),
        users::is_active.eq(true),
    ))
    .returning(users::all_columns)
    .get_result::<UserRow>(tx.db)
    .optional()?;
    match revived {
        Some(row) => Ok(row.into()),
        None => insert(tx, new, true),
    }
}

/// Brings a user back who may not log in, unless the identifier or the e-mail address is taken.
pub(crate) fn bring_back(tx: &mut Tx<'_>, user: &User) -> TxResult<()> {
    let taken: i64 = users::table
        .filter(users::id.eq(user.id.to_string()).or(users::email.eq(&user.email)))
        .count()
        .get_result(tx.db)?;
    if taken > 0 {
        return Ok(());
    }
    let new = NewUser {
        id: user.id,
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        role: user.role,
        password_hash: None,
        oidc_subject: None,
    };
    insert(tx, &new, false).map(drop)
}

fn insert(tx: &mut Tx<'_>, new: &NewUser, is_active: bool) -> TxResult<User> {
    let email = new.email.trim().to_lowercase();
    let mut taken = users::table.filter(users::email.eq(&email)).count().into_boxed();
    if let Some(subject) = &new.oidc_subject {
        taken = taken.or_filter(users::oidc_subject.eq(subject));
    }
    let taken: i64 = taken.get_result(tx.db)?;
    if taken > 0 {
        return Err(Error::AlreadyExists {
            what: "user",
            name: email,
        }
        .into());
    }
    diesel::insert_into(users::table)
        .values((
            users::id.eq(new.id.to_string()),
            users::email.eq(&email),
            users::display_name.eq(&new.display_name),
            users::role.eq(new.role.as_str()),
            users::password_hash.eq(&new.password_hash),
            users::oidc_subject.eq(&new.oidc_subject),
            users::is_active.eq(is_active),
            users::created_at.eq(tx.now.naive_utc()),
        ))
        .execute(tx.db)?;
    let row = find(tx, new.id)?.ok_or_else(|| Error::not_found("user", &new.id))?;
    Ok(row.into())
}

/// Refuses to take away the last administrator who can log in.
fn keep_an_admin(tx: &mut Tx<'_>, row: &UserRow) -> TxResult<()> {
    if row.role.0 != Role::Admin || !row.is_active {
        return Ok(());
    }
    let others: i64 = users::table
        .filter(users::role.eq(Role::Admin.as_str()))
        .filter(users::is_active.eq(true))
        .filter(users::id.ne(row.id.0.to_string()))
        .count()
        .get_result(tx.db)?;
    if others == 0 {
        Err(Error::LastAdmin.into())
    } else {
        Ok(())
    }
}

fn end_sessions(tx: &mut Tx<'_>, id: UserId, but: Option<SessionId>) -> TxResult<()> {
    let mut doomed = diesel::delete(sessions::table.filter(sessions::user_id.eq(id.to_string()))).into_boxed();
    if let Some(kept) = but {
        doomed = doomed.filter(sessions::id.ne(kept.to_string()));
    }
    doomed.execute(tx.db)?;
    Ok(())
}
