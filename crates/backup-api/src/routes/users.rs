//! People who may log in.

use actix_web::{HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Query;
use crate::wire::user::{UserBody, UserListBody};

/// Every person.
#[utoipa::path(get, path = "/api/admin/users", responses((status = 200, body = UserListBody)))]
pub(crate) async fn list_users(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    let users = api.store.list_users().await?.into_iter().map(UserBody::from).collect();
    Ok(HttpResponse::Ok().json(UserListBody { users }))
}
