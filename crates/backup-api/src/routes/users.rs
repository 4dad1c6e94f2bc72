//! People who may log in.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::UserId;
use backup_db::{Error as CatalogError, NewUser, UserChanges};
use secrecy::SecretString;

use crate::app::Api;
use crate::audit;
use crate::auth::account::name_from_email;
use crate::auth::{Caller, Who};
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::user::{CreateUser, UpdateUser, UserAnswer, UserBody, UserListBody};

/// Every person.
#[utoipa::path(get, path = "/api/admin/users", responses((status = 200, body = UserListBody)))]
pub(crate) async fn list_users(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    let users = api.store.list_users().await?.into_iter().map(UserBody::from).collect();
    Ok(HttpResponse::Ok().json(UserListBody { users }))
}

/// Makes an account. Without a password the person logs in through OpenID Connect only.
#[utoipa::path(
    post,
    path = "/api/admin/users",
    request_body = CreateUser,
    responses((status = 201, body = UserAnswer), (status = 409, description = "`account_exists`"))
)]
pub(crate) async fn create_user(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    body: Body<CreateUser>,
    _: Query<()>,
) -> ApiResult {
    let CreateUser {
        email,
        display_name,
        role,
        password,
        is_active,
    } = body.0;
    let new = NewUser {
        id: api.ids.next()?,
        display_name: display_name.unwrap_or_else(|| name_from_email(&email)),
        email,
        role,
        password_hash: hash(&api, password).await?,
        oidc_subject: None,
    };
    let user = api
        .store
        .create_user_as(new, is_active)
        .await
        .map_err(|error| match error {
            CatalogError::AlreadyExists { .. } => ApiError::conflict("account_exists"),
            error => error.into(),
        })?;
    audit::record(&api, &request, &caller, audit::create_user(&user)).await?;
    Ok(HttpResponse::Created().json(UserAnswer {
        user: UserBody::from(user),
    }))
}

/// Changes what the body gives. A new password ends the person's sessions, but for the one that it was set from; a role
/// counts from the next request on, and who is deactivated is out at once.
#[utoipa::path(
    patch,
    path = "/api/admin/users/{id}",
    request_body = UpdateUser,
    responses((status = 200, body = UserAnswer), (status = 409, description = "`last_admin`"))
)]
pub(crate) async fn update_user(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    body: Body<UpdateUser>,
    _: Query<()>,
) -> ApiResult {
    let id: UserId = path_id(&request, "user_not_found")?;
    let given = body.0.given();
    let UpdateUser {
        display_name,
        role,
        password,
        is_active,
    } = body.0;
    let changes = UserChanges {
        display_name,
        role,
        is_active,
        password_hash: hash(&api, password).await?,
        keep_session: match &caller.who {
            Who::Person { session, .. } => Some(session.id),
            Who::Program(_) => None,
        },
    };
    let user = api.store.update_user(id, changes).await?;
    if !given.is_empty() {
        audit::record(&api, &request, &caller, audit::update_user(&user, &given)).await?;
    }
    Ok(HttpResponse::Ok().json(UserAnswer {
        user: UserBody::from(user),
    }))
}

/// Removes an account with its sessions and tokens. What the person did stays in the audit log.
#[utoipa::path(
    delete,
    path = "/api/admin/users/{id}",
    responses(
        (status = 200, body = MessageBody),
        (status = 409, description = "`user_self`: nobody removes their own account. `last_admin`"),
    )
)]
pub(crate) async fn delete_user(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id: UserId = path_id(&request, "user_not_found")?;
    if caller.user_id() == Some(id) {
        return Err(ApiError::conflict("user_self"));
    }
    let user = api
        .store
        .get_user(id)
        .await?
        .ok_or_else(|| ApiError::not_found("user_not_found"))?;
    api.store.delete_user(id).await?;
    audit::record(&api, &request, &caller, audit::delete_user(&user)).await?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "user_deleted")))
}

async fn hash(api: &Api, password: Option<SecretString>) -> ApiResult<Option<String>> {
    let Some(password) = password else {
        return Ok(None);
    };
    let turn = api.passwords.turn().await?;
    turn.hash(password, api.random.clone()).await.map(Some)
}
