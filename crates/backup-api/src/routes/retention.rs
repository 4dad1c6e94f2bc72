//! Which backups a policy keeps.

use actix_web::{HttpResponse, web};
use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::retention::Retention;
use backup_db::RetentionScope;

use crate::app::Api;
use crate::error::{ApiError, ApiResult};
use crate::http::body::Body;
use crate::http::params::Query;
use crate::wire::cron::zone_or_default;
use crate::wire::retention::{PlanBody, RetentionPreview};

/// Which backups would be kept or expire now, and by which rule. Changes nothing.
///
/// With `scheduleId` those of the schedule, by its own retention or by `policy`; with `policy` alone all good backups of a
/// configuration.
#[utoipa::path(
    post,
    path = "/api/admin/backup/retention/preview",
    request_body = RetentionPreview,
    responses(
        (status = 200, body = PlanBody),
        (status = 400, description = "`field_missing`: neither `scheduleId` nor `policy`. `timezone_unknown`. Or another \
            field is wrong or unknown."),
        (status = 404, description = "`schedule_not_found`, `config_not_found`"),
    )
)]
pub(crate) async fn preview_retention(api: web::Data<Api>, body: Body<RetentionPreview>, _: Query<()>) -> ApiResult {
    let RetentionPreview {
        schedule_id,
        policy,
        timezone,
        config_key,
    } = body.0;
    let scope = if let Some(id) = schedule_id {
        let problem = "a schedule has its own";
        if timezone.is_some() {
            return Err(ApiError::field("field_invalid", "timezone", problem));
        }
        if config_key.is_some() {
            return Err(ApiError::field("field_invalid", "configKey", problem));
        }
        RetentionScope::Schedule(id)
    } else {
        let key = config_key.unwrap_or_else(|| DEFAULT_CONFIG_KEY.to_owned());
        if key != DEFAULT_CONFIG_KEY && api.store.get_config(&key).await?.is_none() {
            return Err(ApiError::not_found("config_not_found"));
        }
        RetentionScope::Config(key, zone_or_default(timezone)?)
    };
    let decisions = api.store.plan_retention(scope, policy.map(Retention::from)).await?;
    Ok(HttpResponse::Ok().json(PlanBody::from(decisions)))
}
