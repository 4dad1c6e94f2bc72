//! Who may log in, who did what.

use std::time::Duration;

use backup_core::user::{Role, TokenScope};
use backup_core::{SessionId, UserId};
use backup_db::{
    AuditListOptions, Error, LoginLimits, NewAuditEntry, NewUser, OidcFound, OidcMatch, OidcPerson, OidcRefusal,
    OidcRole, UserChanges,
};
use chrono::TimeDelta;

use crate::fixture::{Catalog, at_once, on_both, start};

on_both!(
    the_first_administrator_is_made_once,
    users_are_found_by_address_whatever_its_case,
    the_last_administrator_stays,
    changes_at_once_lose_nothing,
    a_person_of_openid_connect_is_one_user_for_ever,
    only_a_verified_address_links_and_only_to_whom_has_no_subject,
    the_provider_s_role_is_followed_but_for_the_last_administrator,
    a_session_ends_by_time_by_hand_and_with_its_user,
    a_token_works_until_it_ends,
    a_token_may_no_more_than_who_made_it,
    too_many_failures_close_the_door_for_a_while,
    the_audit_log_takes_entries_and_never_gives_them_up,
    a_walk_through_the_audit_log_meets_every_entry_once,
    a_deleted_user_leaves_backups_behind,
);

fn user(catalog: &Catalog, email: &str, role: Role) -> NewUser {
    NewUser {
        id: catalog.id(),
        email: email.to_owned(),
        display_name: "王小明".to_owned(),
        role,
        password_hash: Some("$argon2id$x".to_owned()),
        oidc_subject: None,
    }
}

pub(crate) async fn admin(catalog: &Catalog, email: &str) -> UserId {
    catalog
        .store
        .create_user(user(catalog, email, Role::Admin))
        .await
        .unwrap()
        .id
}

fn with_role(role: Role, is_active: bool) -> UserChanges {
    UserChanges {
        role: Some(role),
        is_active: Some(is_active),
        ..UserChanges::default()
    }
}

fn named(name: &str) -> UserChanges {
    UserChanges {
        display_name: Some(name.to_owned()),
        ..UserChanges::default()
    }
}

fn new_password(keep_session: Option<SessionId>) -> UserChanges {
    UserChanges {
        password_hash: Some("$argon2id$y".to_owned()),
        keep_session,
        ..UserChanges::default()
    }
}

async fn the_first_administrator_is_made_once(catalog: Catalog) {
    let other = catalog.another().await;
    let new: Vec<NewUser> = (0..6)
        .map(|n| user(&catalog, &format!("a{n}@example.org"), Role::Viewer))
        .collect();
    let made = at_once(6, |index| {
        let store = if index % 2 == 0 {
            catalog.store.clone()
        } else {
            other.clone()
        };
        let new = new[index].clone();
        async move { store.create_first_admin(new).await.unwrap() }
    })
    .await;
    let made: Vec<_> = made.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].role, Role::Admin);
    assert_eq!(catalog.store.list_users().await.unwrap(), made);
}

async fn users_are_found_by_address_whatever_its_case(catalog: Catalog) {
    let new = NewUser {
        oidc_subject: Some("sub-1".to_owned()),
        ..user(&catalog, " Ops@Example.ORG ", Role::Admin)
    };
    let made = catalog.store.create_user(new).await.unwrap();
    assert_eq!(made.email, "ops@example.org");
    let found = catalog
        .store
        .find_user_by_email("OPS@example.org")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.user.id, found.password_hash.as_deref()),
        (made.id, Some("$argon2id$x"))
    );
    assert!(!format!("{found:?}").contains("argon2id"));
    assert_eq!(
        catalog
            .store
            .find_user_by_oidc_subject("sub-1")
            .await
            .unwrap()
            .unwrap()
            .user,
        made
    );
    assert!(
        catalog
            .store
            .find_user_by_email("nobody@example.org")
            .await
            .unwrap()
            .is_none()
    );
    let again = catalog
        .store
        .create_user(user(&catalog, "ops@EXAMPLE.org", Role::Viewer))
        .await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    let same_subject = NewUser {
        oidc_subject: Some("sub-1".to_owned()),
        ..user(&catalog, "other@example.org", Role::Viewer)
    };
    assert!(matches!(
        catalog.store.create_user(same_subject).await,
        Err(Error::AlreadyExists { .. })
    ));
    catalog.store.record_login(made.id).await.unwrap();
    assert_eq!(
        catalog.store.get_user(made.id).await.unwrap().unwrap().last_login_at,
        Some(start())
    );
}

async fn the_last_administrator_stays(catalog: Catalog) {
    let only = admin(&catalog, "a@example.org").await;
    let store = &catalog.store;
    assert!(matches!(store.delete_user(only).await, Err(Error::LastAdmin)));
    assert!(matches!(
        store.update_user(only, with_role(Role::Viewer, true)).await,
        Err(Error::LastAdmin)
    ));
    assert!(matches!(
        store.update_user(only, with_role(Role::Admin, false)).await,
        Err(Error::LastAdmin)
    ));
    assert_eq!(
        store.update_user(only, named("Anna")).await.unwrap().display_name,
        "Anna"
    );
    let second = admin(&catalog, "b@example.org").await;
    // Two at once, each of whom leaves the other: one has to stay.
    let (first, other) = tokio::join!(store.delete_user(only), store.delete_user(second));
    assert!(first.is_ok() != other.is_ok(), "{first:?} {other:?}");
    assert_eq!(store.list_users().await.unwrap().len(), 1);
}

async fn changes_at_once_lose_nothing(catalog: Catalog) {
    admin(&catalog, "a@example.org").await;
    let id = admin(&catalog, "b@example.org").await;
    let other = catalog.another().await;
    let store = &catalog.store;
    let (first, second, third) = tokio::join!(
        store.update_user(id, named("Berta")),
        other.update_user(
            id,
            UserChanges {
                role: Some(Role::Viewer),
                ..UserChanges::default()
            }
        ),
        store.update_user(id, new_password(None)),
    );
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    let changed = store.find_user_by_email("b@example.org").await.unwrap().unwrap();
    assert_eq!(
        (
            changed.user.display_name.as_str(),
            changed.user.role,
            changed.password_hash.as_deref()
        ),
        ("Berta", Role::Viewer, Some("$argon2id$y"))
    );
    store.update_user(id, UserChanges::default()).await.unwrap();
    assert_eq!(
        store.find_user_by_email("b@example.org").await.unwrap().unwrap(),
        changed
    );
}

fn person(subject: &str, email: &str) -> OidcPerson {
    OidcPerson {
        subject: format!("https://id.example.org|{subject}"),
        email: Some(email.to_owned()),
        email_is_verified: true,
        display_name: "陳小華".to_owned(),
        role: None,
    }
}

async fn matched(catalog: &Catalog, person: OidcPerson) -> (UserId, Role, OidcFound, OidcRole) {
    match catalog.store.match_oidc_person(person).await.unwrap() {
        OidcMatch::User { user, found, role } => (user.id, user.role, found, role),
        OidcMatch::Refused(refusal) => panic!("{refusal:?}"),
    }
}

async fn refused(catalog: &Catalog, person: OidcPerson) -> OidcRefusal {
    let users = catalog.store.list_users().await.unwrap();
    let refusal = match catalog.store.match_oidc_person(person).await.unwrap() {
        OidcMatch::User { user, .. } => panic!("{user:?}"),
        OidcMatch::Refused(refusal) => refusal,
    };
    assert_eq!(catalog.store.list_users().await.unwrap(), users, "nothing was changed");
    refusal
}

async fn a_person_of_openid_connect_is_one_user_for_ever(catalog: Catalog) {
    admin(&catalog, "a@example.org").await;
    let other = catalog.another().await;
    // The first log-ins of a person come at once: one user is made.
    let persons: Vec<OidcPerson> = (0..6).map(|_| person("7", "New@example.org")).collect();
    let matches = at_once(6, |index| {
        let store = if index % 2 == 0 {
            catalog.store.clone()
        } else {
            other.clone()
        };
        let person = persons[index].clone();
        async move { store.match_oidc_person(person).await.unwrap() }
    })
    .await;
    let made = matches.iter().filter(|found| {
        matches!(
            found,
            OidcMatch::User {
                found: OidcFound::Made,
                ..
            }
        )
    });
    assert_eq!(made.count(), 1, "{matches:?}");
    let users = catalog.store.list_users().await.unwrap();
    assert_eq!(users.len(), 2);
    let user = users.iter().find(|user| user.email == "new@example.org").unwrap();
    assert_eq!((user.role, user.display_name.as_str()), (Role::Viewer, "陳小華"));
    let known = catalog
        .store
        .find_user_by_email("new@example.org")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.password_hash, None);
    assert_eq!(known.oidc_subject.as_deref(), Some("https://id.example.org|7"));

    // Known by the subject alone, whatever becomes of the address.
    for email in [Some("a@example.org".to_owned()), None] {
        let moved = OidcPerson {
            email,
            ..person("7", "")
        };
        let (id, _, found, _) = matched(&catalog, moved).await;
        assert_eq!((id, found), (user.id, OidcFound::BySubject));
    }
    let nameless = OidcPerson {
        email: None,
        ..person("8", "")
    };
    assert_eq!(refused(&catalog, nameless).await, OidcRefusal::NoEmail);

    catalog
        .store
        .update_user(
            user.id,
            UserChanges {
                is_active: Some(false),
                ..UserChanges::default()
            },
        )
        .await
        .unwrap();
    let gone = OidcPerson {
        role: Some(Role::Admin),
        ..person("7", "new@example.org")
    };
    assert_eq!(refused(&catalog, gone).await, OidcRefusal::Inactive);
}

async fn only_a_verified_address_links_and_only_to_whom_has_no_subject(catalog: Catalog) {
    let local = admin(&catalog, "a@example.org").await;
    let claimed = OidcPerson {
        email_is_verified: false,
        ..person("1", "a@example.org")
    };
    assert_eq!(refused(&catalog, claimed).await, OidcRefusal::EmailTaken);
    let (id, role, found, _) = matched(&catalog, person("2", "A@Example.org")).await;
    assert_eq!((id, role, found), (local, Role::Admin, OidcFound::ByEmail));
    let known = catalog
        .store
        .find_user_by_email("a@example.org")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        known.password_hash.as_deref(),
        Some("$argon2id$x"),
        "the password stays"
    );
    // Whoever else comes with that address is not the one it belongs to.
    let second = person("3", "a@example.org");
    assert_eq!(refused(&catalog, second).await, OidcRefusal::EmailTaken);
    // An address that nobody has makes a user even where it is not verified: not every provider verifies.
    let fresh = OidcPerson {
        email_is_verified: false,
        ..person("4", "b@example.org")
    };
    assert_eq!(matched(&catalog, fresh).await.2, OidcFound::Made);
    // Who may not log in is not linked either.
    let out = admin(&catalog, "c@example.org").await;
    let inactive = UserChanges {
        is_active: Some(false),
        ..UserChanges::default()
    };
    catalog.store.update_user(out, inactive).await.unwrap();
    let person = person("5", "c@example.org");
    assert_eq!(refused(&catalog, person).await, OidcRefusal::Inactive);
    let known = catalog
        .store
        .find_user_by_oidc_subject("https://id.example.org|5")
        .await
        .unwrap();
    assert!(known.is_none());
}

async fn the_provider_s_role_is_followed_but_for_the_last_administrator(catalog: Catalog) {
    let with = |subject: &str, email: &str, role| OidcPerson {
        role,
        ..person(subject, email)
    };
    let made = matched(&catalog, with("1", "a@example.org", Some(Role::Admin))).await;
    assert_eq!((made.1, made.2), (Role::Admin, OidcFound::Made));
    let last = matched(&catalog, with("1", "a@example.org", Some(Role::Viewer))).await;
    assert_eq!((last.1, last.3), (Role::Admin, OidcRole::LastAdmin));
    let silent = matched(&catalog, with("1", "a@example.org", None)).await;
    assert_eq!((silent.1, silent.3), (Role::Admin, OidcRole::Kept));

    matched(&catalog, with("2", "b@example.org", Some(Role::Viewer))).await;
    let raised = matched(&catalog, with("2", "b@example.org", Some(Role::Admin))).await;
    assert_eq!((raised.1, raised.3), (Role::Admin, OidcRole::Changed));
    let lowered = matched(&catalog, with("1", "a@example.org", Some(Role::Viewer))).await;
    assert_eq!((lowered.1, lowered.3), (Role::Viewer, OidcRole::Changed));
    let role = catalog.store.get_user(lowered.0).await.unwrap().unwrap().role;
    assert_eq!(role, Role::Viewer);
}

async fn a_session_ends_by_time_by_hand_and_with_its_user(catalog: Catalog) {
    let store = &catalog.store;
    let id = admin(&catalog, "a@example.org").await;
    admin(&catalog, "b@example.org").await;
    let until = start() + TimeDelta::hours(1);
    let session = store.create_session(id, "hash-1", until).await.unwrap();
    let (found, user) = store.find_session("hash-1").await.unwrap().unwrap();
    assert_eq!((found, user.id), (session.clone(), id));
    assert!(store.find_session("hash-2").await.unwrap().is_none());
    assert!(store.delete_session(session.id).await.unwrap());
    assert!(store.find_session("hash-1").await.unwrap().is_none());

    store.create_session(id, "hash-3", until).await.unwrap();
    store.update_user(id, with_role(Role::Admin, false)).await.unwrap();
    store.update_user(id, with_role(Role::Admin, true)).await.unwrap();
    assert!(
        store.find_session("hash-3").await.unwrap().is_none(),
        "who was shut out has to log in anew"
    );

    store.create_session(id, "hash-4", until).await.unwrap();
    store.update_user(id, new_password(None)).await.unwrap();
    assert!(
        store.find_session("hash-4").await.unwrap().is_none(),
        "a new password ends what the old one opened"
    );

    let own = store.create_session(id, "hash-4a", until).await.unwrap();
    store.create_session(id, "hash-4b", until).await.unwrap();
    store.update_user(id, new_password(Some(own.id))).await.unwrap();
    assert!(
        store.find_session("hash-4a").await.unwrap().is_some()
            && store.find_session("hash-4b").await.unwrap().is_none(),
        "who sets a new password stays where they are, and nowhere else"
    );

    store.create_session(id, "hash-5", until).await.unwrap();
    store.delete_sessions_of(id).await.unwrap();
    assert!(store.find_session("hash-5").await.unwrap().is_none());

    store.create_session(id, "hash-6", until).await.unwrap();
    catalog.advance(3_600);
    assert!(store.find_session("hash-6").await.unwrap().is_none());
    store
        .create_session(id, "hash-7", until + TimeDelta::hours(1))
        .await
        .unwrap();
    store.delete_user(id).await.unwrap();
    assert!(store.find_session("hash-7").await.unwrap().is_none());
    assert!(matches!(
        store.create_session(id, "hash-8", until).await,
        Err(Error::NotFound { .. })
    ));
}

async fn a_token_works_until_it_ends(catalog: Catalog) {
    let store = &catalog.store;
    let id = admin(&catalog, "a@example.org").await;
    let end = start() + TimeDelta::hours(1);
    let token = store
        .create_token("ci", "hash-1", TokenScope::Operate, Some(id), Some(end))
        .await
        .unwrap();
    let forever = store
        .create_token("ops", "hash-2", TokenScope::Admin, None, None)
        .await
        .unwrap();
    catalog.advance(10);
    assert_eq!(store.use_token("hash-1").await.unwrap().unwrap().id, token.id);
    let listed = store.list_tokens().await.unwrap();
    assert_eq!(listed.len(), 2);
    let used = listed.iter().find(|listed| listed.id == token.id).unwrap();
    assert_eq!(used.last_used_at, Some(start() + TimeDelta::seconds(10)));
    catalog.advance(3_600);
    assert!(store.use_token("hash-1").await.unwrap().is_none());
    assert!(store.use_token("hash-2").await.unwrap().is_some());
    assert!(store.delete_token(forever.id).await.unwrap());
    assert!(!store.delete_token(forever.id).await.unwrap());
    assert!(store.use_token("hash-2").await.unwrap().is_none());
}

async fn a_token_may_no_more_than_who_made_it(catalog: Catalog) {
    let store = &catalog.store;
    admin(&catalog, "last@example.org").await;
    let id = admin(&catalog, "a@example.org").await;
    store
        .create_token("ci", "hash-1", TokenScope::Admin, Some(id), None)
        .await
        .unwrap();
    let scope = async || store.use_token("hash-1").await.unwrap().map(|token| token.scope);
    assert_eq!(scope().await, Some(TokenScope::Admin));
    store.update_user(id, with_role(Role::Viewer, true)).await.unwrap();
    assert_eq!(scope().await, Some(TokenScope::Read));
    store.update_user(id, with_role(Role::Admin, false)).await.unwrap();
    assert_eq!(scope().await, None, "who may not log in has no way in by a token");
    store.update_user(id, with_role(Role::Admin, true)).await.unwrap();
    assert_eq!(scope().await, Some(TokenScope::Admin));
    store.delete_user(id).await.unwrap();
    assert_eq!(scope().await, None);
    assert!(store.list_tokens().await.unwrap().is_empty());
}

async fn too_many_failures_close_the_door_for_a_while(catalog: Catalog) {
    let limits = LoginLimits {
        window: Duration::from_mins(15),
        per_account_and_address: 3,
        per_account: 3,
        per_address: 5,
    };
    let store = &catalog.store;
    for _ in 0..3 {
        assert_eq!(
            store
                .too_many_logins("a@example.org", "10.0.0.1", limits)
                .await
                .unwrap(),
            None
        );
        store.record_login_failure("A@example.org", "10.0.0.1").await.unwrap();
        catalog.advance(60);
    }
    // In another process, after a restart, from another address, in another case.
    let other = catalog.another().await;
    let wait = other
        .too_many_logins("a@EXAMPLE.org", "10.9.9.9", limits)
        .await
        .unwrap();
    assert_eq!(
        wait,
        Some(Duration::from_mins(12)),
        "until the first of the three is forgotten"
    );
    assert_eq!(
        other
            .too_many_logins("b@example.org", "10.0.0.1", limits)
            .await
            .unwrap(),
        None
    );
    // Where an account may have more, its owner gets in from elsewhere.
    let kinder = LoginLimits {
        per_account: 4,
        ..limits
    };
    for (address, is_free) in [("10.0.0.1", false), ("10.9.9.9", true)] {
        let wait = other.too_many_logins("a@example.org", address, kinder).await.unwrap();
        assert_eq!(wait.is_none(), is_free, "{address}");
    }
    other.clear_login_failures("a@example.org").await.unwrap();
    assert_eq!(
        other
            .too_many_logins("a@example.org", "10.9.9.9", limits)
            .await
            .unwrap(),
        None
    );
    // Guessing one password for many accounts is stopped by the address, whoever logs in well in between.
    for account in ["b", "c"] {
        store.record_login_failure(account, "10.0.0.1").await.unwrap();
    }
    assert!(store.too_many_logins("d", "10.0.0.1", limits).await.unwrap().is_some());
    catalog.advance(15 * 60);
    assert_eq!(store.too_many_logins("d", "10.0.0.1", limits).await.unwrap(), None);
}

fn entry(action: &str, resource_id: &str) -> NewAuditEntry {
    NewAuditEntry {
        user_id: None,
        action: action.to_owned(),
        resource_type: "backup".to_owned(),
        resource_id: Some(resource_id.to_owned()),
        description: "刪除備份".to_owned(),
        address: Some("::1".to_owned()),
    }
}

async fn the_audit_log_takes_entries_and_never_gives_them_up(catalog: Catalog) {
    let who: UserId = catalog.id();
    for n in 0..5 {
        let mut entry = entry(
            if n % 2 == 0 { "BACKUP_DELETE" } else { "BACKUP_DOWNLOAD" },
            &n.to_string(),
        );
        entry.user_id = (n == 4).then_some(who);
        catalog.store.append_audit(entry).await.unwrap();
        catalog.advance(1);
    }
    for sql in ["UPDATE audit_log SET description = 'nothing'", "DELETE FROM audit_log"] {
        let error = catalog.sql(sql).unwrap_err();
        assert!(error.contains("append-only"), "{error}");
    }
    let ids = |options: AuditListOptions| {
        let store = catalog.store.clone();
        async move {
            let page = store
                .list_audit(&AuditListOptions { limit: 2, ..options })
                .await
                .unwrap();
            let ids: Vec<String> = page
                .entries
                .iter()
                .filter_map(|entry| entry.resource_id.clone())
                .collect();
            (ids.join(" "), page.total)
        }
    };
    let all = AuditListOptions::default();
    assert_eq!(ids(all.clone()).await, ("4 3".to_owned(), 5));
    assert_eq!(
        ids(AuditListOptions {
            offset: 4,
            ..all.clone()
        })
        .await,
        ("0".to_owned(), 5)
    );
    let deletes = AuditListOptions {
        action: Some("BACKUP_DELETE".to_owned()),
        ..all.clone()
    };
    assert_eq!(ids(deletes).await, ("4 2".to_owned(), 3));
    let of_who = AuditListOptions {
        user_id: Some(who),
        ..all.clone()
    };
    assert_eq!(ids(of_who).await, ("4".to_owned(), 1));
    let of_one = AuditListOptions {
        resource_type: Some("backup".to_owned()),
        resource_id: Some("3".to_owned()),
        ..all.clone()
    };
    assert_eq!(ids(of_one).await, ("3".to_owned(), 1));
    let between = AuditListOptions {
        from: Some(start() + TimeDelta::seconds(1)),
        to: Some(start() + TimeDelta::seconds(2)),
        ..all
    };
    assert_eq!(ids(between).await, ("2 1".to_owned(), 2));
}

async fn a_walk_through_the_audit_log_meets_every_entry_once(catalog: Catalog) {
    let who = admin(&catalog, "a@example.org").await;
    for n in 0..50 {
        // Several at the same instant, so that pages end among them.
        catalog.advance(i64::from(n % 7 == 0));
        let mut entry = entry("BACKUP_DELETE", &n.to_string());
        entry.user_id = (n % 2 == 0).then_some(who);
        catalog.store.append_audit(entry).await.unwrap();
    }
    let store = &catalog.store;
    let options = |limit| AuditListOptions {
        limit,
        ..AuditListOptions::default()
    };
    let whole = store.list_audit(&options(100)).await.unwrap();
    assert_eq!(whole.people[&who].email, "a@example.org");
    for limit in [1, 3, 7, 49, 50, 51] {
        let (mut met, mut after) = (Vec::new(), None);
        loop {
            let batch = store.walk_audit(&options(limit), after).await.unwrap();
            let Some(last) = batch.entries.last() else { break };
            after = Some((last.at, last.id));
            met.extend(batch.entries);
        }
        assert!(met == whole.entries, "by {limit}");
    }
    let mine = AuditListOptions {
        user_id: Some(who),
        ..options(100)
    };
    let after = whole.entries.get(9).map(|entry| (entry.at, entry.id));
    assert_eq!(
        store.walk_audit(&mine, after).await.unwrap().entries,
        whole.entries[10..]
            .iter()
            .filter(|entry| entry.user_id == Some(who))
            .cloned()
            .collect::<Vec<_>>()
    );
}

async fn a_deleted_user_leaves_backups_behind(catalog: Catalog) {
    admin(&catalog, "a@example.org").await;
    let who = admin(&catalog, "b@example.org").await;
    let mut new = catalog.new_backup();
    new.created_by = Some(who);
    let id = catalog.store.create_backup(new).await.unwrap().id;
    let summary = catalog.store.get_backup(id).await.unwrap().unwrap();
    assert_eq!(summary.created_by_name.as_deref(), Some("王小明"));
    catalog.store.delete_user(who).await.unwrap();
    let summary = catalog.store.get_backup(id).await.unwrap().unwrap();
    assert_eq!((summary.created_by_name, summary.backup.created_by), (None, None));
}
