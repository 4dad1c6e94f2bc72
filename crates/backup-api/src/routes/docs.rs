//! The description of the API: for programs, and for people.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Query;
use crate::language::Language;

/// This document, as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    responses((status = 200, body = utoipa::openapi::Object, content_type = "application/json"))
)]
pub(crate) async fn get_openapi(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(api.documentation()?.json.clone()))
}

/// This document, as a page for people.
#[utoipa::path(get, path = "/api/docs", responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn get_docs(api: web::Data<Api>, language: Language, _: Query<()>) -> ApiResult {
    let documentation = api.documentation()?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, language.tag()))
        .insert_header((header::CONTENT_SECURITY_POLICY, documentation.policy.as_str()))
        .body(documentation.page(language)))
}
