//! Schedules: which backup, when, and how long it is kept.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::list::BackupListOptions;
use backup_core::{BackupId, ScheduleId};
use backup_db::{Error as CatalogError, ScheduleListOptions, ScheduleSummary};
use backup_engine::Action;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::routes::backups::refuse_without_room;
use crate::wire::MessageBody;
use crate::wire::backup::{BackupAccepted, BackupBody};
use crate::wire::schedule::{
    CreateSchedule, FiringBody, ScheduleAnswer, ScheduleBody, ScheduleDetails, ScheduleDetailsAnswer, ScheduleListBody,
    ScheduleQuery, UpdateSchedule,
};

/// Backups that a schedule is shown with.
const BACKUPS: u32 = 10;
/// Firings that it is shown with.
const FIRINGS: u32 = 30;
/// How often a change is tried again where somebody else changes the same schedule meanwhile.
const TRIES: u32 = 20;

fn not_found() -> ApiError {
    ApiError::not_found("schedule_not_found")
}

/// The schedule of the request's path.
async fn find(api: &Api, request: &HttpRequest) -> ApiResult<ScheduleSummary> {
    read(api, path_id(request, "schedule_not_found")?).await
}

async fn read(api: &Api, id: ScheduleId) -> ApiResult<ScheduleSummary> {
    api.store.get_schedule(id).await?.ok_or_else(not_found)
}

/// A page of schedules, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/backup/schedule",
    params(ScheduleQuery),
    responses((status = 200, body = ScheduleListBody))
)]
pub(crate) async fn list_schedules(api: web::Data<Api>, language: Language, query: Query<ScheduleQuery>) -> ApiResult {
    let options = ScheduleListOptions::from(query.0);
    let page = api.store.list_schedules(&options).await?;
    Ok(HttpResponse::Ok().json(ScheduleListBody::new(page, &options, language)))
}

/// Makes a schedule. Enabled, it fires at the next instant that its expression names.
#[utoipa::path(
    post,
    path = "/api/admin/backup/schedule",
    request_body = CreateSchedule,
    responses(
        (status = 201, body = ScheduleAnswer),
        (status = 400, description = "`cron_invalid`: `details` says which field of the expression, and why. \
            `timezone_unknown`. Or another field is wrong, missing or unknown."),
        (status = 404, description = "`config_not_found`"),
    )
)]
pub(crate) async fn create_schedule(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<CreateSchedule>,
    _: Query<()>,
) -> ApiResult {
    let schedule = body.0.schedule(api.ids.next()?, caller.user_id(), api.clock.now());
    let schedule = api.store.create_schedule(schedule).await?;
    audit::record(&api, &request, &caller, audit::create_schedule(&schedule)).await?;
    // Somebody may have removed it already.
    let summary = api.store.get_schedule(schedule.id).await?.unwrap_or(ScheduleSummary {
        schedule,
        backups: 0,
        last_backup_at: None,
        created_by_name: None,
    });
    Ok(HttpResponse::Created().json(ScheduleAnswer {
        schedule: ScheduleBody::new(summary, language),
        message: language.say("schedule_created", &[]),
    }))
}

/// One schedule with its newest backups and firings.
#[utoipa::path(
    get,
    path = "/api/admin/backup/schedule/{id}",
    responses(
        (status = 200, body = ScheduleDetailsAnswer),
        (status = 404, description = "`schedule_not_found`"),
    )
)]
pub(crate) async fn get_schedule(
    api: web::Data<Api>,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
) -> ApiResult {
    let summary = find(&api, &request).await?;
    let id = summary.schedule.id;
    let newest = BackupListOptions {
        schedule_id: Some(id),
        limit: BACKUPS,
        ..BackupListOptions::default()
    };
    let backups = api.store.list_backups(&newest).await?.backups.into_iter();
    let firings = api.store.firings_of(id, FIRINGS).await?.into_iter();
    let schedule = ScheduleDetails {
        schedule: ScheduleBody::new(summary, language),
        backups: backups.map(|summary| BackupBody::new(summary, language)).collect(),
        firings: firings.map(FiringBody::from).collect(),
    };
    Ok(HttpResponse::Ok().json(ScheduleDetailsAnswer { schedule }))
}

/// Changes what is given of a schedule. Instants that were fired are not fired again.
#[utoipa::path(
    patch,
    path = "/api/admin/backup/schedule/{id}",
    request_body = UpdateSchedule,
    responses(
        (status = 200, body = ScheduleAnswer),
        (status = 400, description = "`cron_invalid`: `details` says which field of the expression, and why. \
            `timezone_unknown`. Or another field is wrong or unknown."),
        (status = 404, description = "`schedule_not_found`, `config_not_found`"),
        (status = 409, description = "`changed_meanwhile`: others keep changing it."),
    )
)]
pub(crate) async fn update_schedule(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<UpdateSchedule>,
    _: Query<()>,
) -> ApiResult {
    let id: ScheduleId = path_id(&request, "schedule_not_found")?;
    let change = body.0;
    let mut tries = 0;
    let summary = loop {
        let before = read(&api, id).await?;
        let after = change.clone().apply(&before.schedule);
        tries += 1;
        match api.store.update_schedule(&before.schedule, after).await {
            Ok(schedule) => break ScheduleSummary { schedule, ..before },
            // What is not given stays as the other has made it.
            Err(CatalogError::Changed { .. }) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    };
    let act = audit::update_schedule(&summary.schedule, &change.given());
    audit::record(&api, &request, &caller, act).await?;
    Ok(HttpResponse::Ok().json(ScheduleAnswer {
        schedule: ScheduleBody::new(summary, language),
        message: language.say("schedule_updated", &[]),
    }))
}

/// Removes a schedule. Its backups stay, and nothing lets them expire any more.
#[utoipa::path(
    delete,
    path = "/api/admin/backup/schedule/{id}",
    responses((status = 200, body = MessageBody), (status = 404, description = "`schedule_not_found`"))
)]
pub(crate) async fn delete_schedule(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let schedule = find(&api, &request).await?.schedule;
    if !api.store.delete_schedule(schedule.id).await? {
        return Err(not_found());
    }
    audit::record(&api, &request, &caller, audit::delete_schedule(&schedule)).await?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "schedule_deleted")))
}

/// Asks for a backup of a schedule now, beside its instants, whether it is enabled or not.
#[utoipa::path(
    post,
    path = "/api/admin/backup/schedule/{id}/trigger",
    responses(
        (status = 202, body = BackupAccepted),
        (status = 404, description = "`schedule_not_found`"),
        (status = 409, description = "`schedule_running`: one of its backups waits or runs. `quota_exceeded`: the \
            configuration refuses what its quota has no room for."),
    )
)]
pub(crate) async fn trigger_schedule(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let schedule = find(&api, &request).await?.schedule;
    refuse_without_room(&api, &schedule.config_key, schedule.backup_source, schedule.backup_type).await?;
    let backup = api.store.trigger_schedule(schedule.id, caller.user_id()).await?;
    let id: BackupId = backup.id;
    audit::record(&api, &request, &caller, audit::trigger_schedule(&schedule, &backup)).await?;
    tracing::info!(
        action = %Action::BackupRequested, backup_id = %id, schedule_id = %schedule.id,
        "backup {} was asked for", backup.name
    );
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Accepted().json(BackupAccepted {
        backup: BackupBody::new(summary, language),
        message: language.say("backup_started", &[]),
    }))
}
