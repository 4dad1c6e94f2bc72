//! API tokens.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::TokenId;
use chrono::TimeDelta;
use secrecy::ExposeSecret;

use crate::app::Api;
use crate::audit;
use crate::auth::{Caller, secret};
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::user::{CreateToken, NewToken, TokenBody, TokenListBody};

/// The furthest expiry.
const MAX_LIFE: TimeDelta = TimeDelta::days(3650);

/// Every token, without its secret.
#[utoipa::path(get, path = "/api/admin/tokens", responses((status = 200, body = TokenListBody)))]
pub(crate) async fn list_tokens(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    let tokens = api.store.list_tokens().await?;
    let tokens = tokens.into_iter().map(TokenBody::from).collect();
    Ok(HttpResponse::Ok().json(TokenListBody { tokens }))
}

/// Makes a token; its secret is shown now and never again.
#[utoipa::path(
    post,
    path = "/api/admin/tokens",
    request_body = CreateToken,
    responses((status = 201, body = NewToken))
)]
pub(crate) async fn create_token(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    body: Body<CreateToken>,
    _: Query<()>,
) -> ApiResult {
    let now = api.clock.now();
    if body.0.expires_at.is_some_and(|end| end <= now || end > now + MAX_LIFE) {
        return Err(ApiError::field(
            "field_invalid",
            "expiresAt",
            "it must lie in the future, at most ten years ahead",
        ));
    }
    let secret = secret::new_token(&*api.random)?;
    let hash = secret::hash_secret(&secret);
    let CreateToken {
        name,
        scope,
        expires_at,
    } = body.0;
    let token = api
        .store
        .create_token(&name, &hash, scope, caller.user_id(), expires_at)
        .await?;
    audit::record(&api, &request, &caller, audit::create_token(&token)).await?;
    Ok(HttpResponse::Created().json(NewToken {
        token: TokenBody::from(token),
        secret: secret.expose_secret().to_owned(),
    }))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/admin/tokens/{id}", responses((status = 200, body = MessageBody)))]
pub(crate) async fn delete_token(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    language: Language,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id: TokenId = path_id(&request, "token_not_found")?;
    let missing = || ApiError::not_found("token_not_found");
    let token = api
        .store
        .list_tokens()
        .await?
        .into_iter()
        .find(|token| token.id == id)
        .ok_or_else(missing)?;
    if !api.store.delete_token(id).await? {
        return Err(missing());
    }
    audit::record(&api, &request, &caller, audit::delete_token(&token)).await?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "token_deleted")))
}
