//! People who may log in.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Params;
use crate::wire::user::UserBody;

/// Every person.
pub(crate) async fn list_users(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    Params::of(&request)?.end()?;
    let users: Vec<UserBody> = api.store.list_users().await?.into_iter().map(UserBody::from).collect();
    Ok(HttpResponse::Ok().json(json!({ "users": users })))
}
