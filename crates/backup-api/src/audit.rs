//! The rows of the audit log that the API writes: every act that changes or reveals something. The descriptions are the
//! specification's; they are stored, so they have one language.

use actix_web::HttpRequest;
use backup_core::config::ConfigPart;
use backup_core::schedule::Schedule;
use backup_core::user::{ApiToken, User};
use backup_core::{Alert, Backup, BackupId, RestoreId, UserId};
use backup_db::{BACKUP_CANCEL, NewAuditEntry};

use crate::app::Api;
use crate::auth::{Caller, address_of};
use crate::error::ApiResult;
use crate::oidc::OidcError;

/// An act, before it is known who did it when and from where.
#[derive(Debug)]
pub(crate) struct Act {
    action: &'static str,
    resource_type: &'static str,
    resource_id: Option<String>,
    description: String,
}

fn of_backup(action: &'static str, verb: &str, backup: &Backup) -> Act {
    Act {
        action,
        resource_type: "Backup",
        resource_id: Some(backup.id.to_string()),
        description: format!("{verb}: {}", backup.name),
    }
}

fn of_user(action: &'static str, verb: &str, user: &User) -> Act {
    Act {
        action,
        resource_type: "User",
        resource_id: Some(user.id.to_string()),
        description: format!("{verb}: {}", user.email),
    }
}

fn of_token(action: &'static str, verb: &str, token: &ApiToken) -> Act {
    Act {
        action,
        resource_type: "ApiToken",
        resource_id: Some(token.id.to_string()),
        description: format!("{verb}: {} ({})", token.name, token.scope),
    }
}

pub(crate) fn create(backup: &Backup) -> Act {
    of_backup("BACKUP_CREATE", "創建備份", backup)
}

pub(crate) fn delete(backup: &Backup) -> Act {
    of_backup("BACKUP_DELETE", "刪除備份", backup)
}

pub(crate) fn cancel(backup: &Backup) -> Act {
    of_backup(BACKUP_CANCEL, "取消備份", backup)
}

pub(crate) fn verify(backup: &Backup) -> Act {
    of_backup("BACKUP_VERIFY", "驗證備份", backup)
}

pub(crate) fn consolidate(origin: &Backup) -> Act {
    of_backup("BACKUP_CONSOLIDATE", "合成完整備份", origin)
}

pub(crate) fn download(backup: &Backup, decrypted: bool) -> Act {
    of_backup(
        "BACKUP_DOWNLOAD",
        if decrypted {
            "下載備份（已解密）"
        } else {
            "下載備份"
        },
        backup,
    )
}

/// `path` as the caller is shown it, with its part.
pub(crate) fn download_file(backup: &Backup, path: &str) -> Act {
    let mut act = of_backup("BACKUP_FILE_DOWNLOAD", "下載備份中的檔案", backup);
    act.description = format!("{}: {path}", act.description);
    act
}

pub(crate) fn protect(backup: &Backup, protected: bool) -> Act {
    if protected {
        of_backup("BACKUP_PROTECT", "保護備份", backup)
    } else {
        of_backup("BACKUP_UNPROTECT", "取消保護備份", backup)
    }
}

pub(crate) fn adopt(backup: &Backup) -> Act {
    of_backup("BACKUP_ADOPT", "納入備份", backup)
}

pub(crate) fn remove_orphan(id: BackupId) -> Act {
    Act {
        action: "ORPHAN_REMOVE",
        resource_type: "Backup",
        resource_id: Some(id.to_string()),
        description: format!("移除孤立的備份檔案: {id}"),
    }
}

fn of_config(action: &'static str, key: &str, description: String) -> Act {
    Act {
        action,
        resource_type: "BackupConfig",
        resource_id: Some(key.to_owned()),
        description,
    }
}

/// `fields` are the names of what was given, never the values.
pub(crate) fn change_config(key: &str, is_new: bool, fields: &str) -> Act {
    if is_new {
        of_config("CONFIG_CREATE", key, format!("創建備份配置: {key} ({fields})"))
    } else {
        of_config("CONFIG_UPDATE", key, format!("更新備份配置: {key} ({fields})"))
    }
}

pub(crate) fn delete_config(key: &str) -> Act {
    of_config("CONFIG_DELETE", key, format!("刪除備份配置: {key}"))
}

pub(crate) fn test_config(key: &str, what: ConfigPart) -> Act {
    of_config("CONFIG_TEST", key, format!("測試備份配置: {key} ({what})"))
}

fn of_schedule(action: &'static str, verb: &str, schedule: &Schedule) -> Act {
    Act {
        action,
        resource_type: "BackupSchedule",
        resource_id: Some(schedule.id.to_string()),
        description: format!("{verb}: {}", schedule.name),
    }
}

pub(crate) fn create_schedule(schedule: &Schedule) -> Act {
    of_schedule("SCHEDULE_CREATE", "創建排程", schedule)
}

/// `fields`: the names of what was given, never the values.
pub(crate) fn update_schedule(schedule: &Schedule, fields: &[&str]) -> Act {
    let mut act = of_schedule("SCHEDULE_UPDATE", "更新排程", schedule);
    act.description = format!("{} ({})", act.description, fields.join(", "));
    act
}

pub(crate) fn delete_schedule(schedule: &Schedule) -> Act {
    of_schedule("SCHEDULE_DELETE", "刪除排程", schedule)
}

pub(crate) fn trigger_schedule(schedule: &Schedule, backup: &Backup) -> Act {
    let mut act = of_schedule("SCHEDULE_TRIGGER", "觸發排程", schedule);
    act.description = format!("{} ({})", act.description, backup.name);
    act
}

pub(crate) fn restore(backup: &Backup) -> Act {
    of_backup("RESTORE_CREATE", "恢復備份", backup)
}

pub(crate) fn cancel_restore(id: RestoreId) -> Act {
    of_restore("RESTORE_CANCEL", "取消恢復", id)
}

pub(crate) fn roll_back_restore(id: RestoreId) -> Act {
    of_restore("RESTORE_ROLLBACK", "復原恢復前狀態", id)
}

pub(crate) fn confirm_restore(id: RestoreId) -> Act {
    of_restore("RESTORE_CONFIRM", "確認恢復", id)
}

fn of_restore(action: &'static str, verb: &str, id: RestoreId) -> Act {
    Act {
        action,
        resource_type: "RestoreRecord",
        resource_id: Some(id.to_string()),
        description: format!("{verb}: {id}"),
    }
}

pub(crate) fn log_in(user: &User) -> Act {
    of_user("LOGIN", "登入", user)
}

pub(crate) fn log_in_by_oidc(user: &User) -> Act {
    of_user("LOGIN", "登入（OpenID Connect）", user)
}

pub(crate) fn link_to_oidc(user: &User) -> Act {
    of_user("USER_UPDATE", "連結 OpenID Connect 身分", user)
}

pub(crate) fn create_by_oidc(user: &User) -> Act {
    of_user("USER_CREATE", "創建使用者（OpenID Connect）", user)
}

pub(crate) fn change_role_by_oidc(user: &User) -> Act {
    of_user(
        "USER_UPDATE",
        &format!("依 OpenID Connect 群組變更角色為 {}", user.role),
        user,
    )
}

pub(crate) fn log_out(user: &User) -> Act {
    of_user("LOGOUT", "登出", user)
}

/// `email` as it was typed: the account may not exist.
pub(crate) fn login_failed(email: &str) -> Act {
    Act {
        action: "LOGIN_FAILED",
        resource_type: "User",
        resource_id: None,
        description: format!("登入失敗: {email}"),
    }
}

pub(crate) fn create_user(user: &User) -> Act {
    of_user("USER_CREATE", "創建使用者", user)
}

/// `fields`: the names of what was changed, never the values.
pub(crate) fn update_user(user: &User, fields: &[&str]) -> Act {
    let mut act = of_user("USER_UPDATE", "更新使用者", user);
    act.description = format!("{} ({})", act.description, fields.join(", "));
    act
}

pub(crate) fn delete_user(user: &User) -> Act {
    of_user("USER_DELETE", "刪除使用者", user)
}

/// `reason` in English; it names nothing that the provider has not proved, but for an e-mail address.
pub(crate) fn oidc_login_failed(reason: &OidcError) -> Act {
    Act {
        action: "LOGIN_FAILED",
        resource_type: "User",
        resource_id: None,
        description: format!("登入失敗（OpenID Connect）: {reason}"),
    }
}

pub(crate) fn create_token(token: &ApiToken) -> Act {
    of_token("TOKEN_CREATE", "創建權杖", token)
}

pub(crate) fn delete_token(token: &ApiToken) -> Act {
    of_token("TOKEN_DELETE", "刪除權杖", token)
}

pub(crate) fn export_audit() -> Act {
    Act {
        action: "AUDIT_EXPORT",
        resource_type: "AuditLog",
        resource_id: None,
        description: "匯出稽核記錄".to_owned(),
    }
}

fn of_system(action: &'static str, verb: &str, reason: &str) -> Act {
    Act {
        action,
        resource_type: "System",
        resource_id: None,
        description: format!("{verb}: {reason}"),
    }
}

pub(crate) fn pause_system(reason: &str) -> Act {
    of_system("SYSTEM_PAUSE", "暫停系統", reason)
}

/// `reason` of the pause that is over.
pub(crate) fn resume_system(reason: &str) -> Act {
    of_system("SYSTEM_RESUME", "恢復系統運作", reason)
}

pub(crate) fn acknowledge_alert(alert: &Alert) -> Act {
    Act {
        action: "ALERT_ACKNOWLEDGE",
        resource_type: "Alert",
        resource_id: Some(alert.id.to_string()),
        description: format!("確認警報: {}", alert.kind),
    }
}

/// Writes the row of an act that `caller` did by `request`.
pub(crate) async fn record(api: &Api, request: &HttpRequest, caller: &Caller, act: Act) -> ApiResult<()> {
    record_by(api, request, caller.user_id(), act).await
}

/// Writes the row of an act of nobody in particular, or of somebody who is only just becoming known.
pub(crate) async fn record_by(api: &Api, request: &HttpRequest, user_id: Option<UserId>, act: Act) -> ApiResult<()> {
    api.store.append_audit(entry_by(api, request, user_id, act)).await?;
    Ok(())
}

/// The row of an act of `caller` by `request`, for what writes it together with the act.
pub(crate) fn entry(api: &Api, request: &HttpRequest, caller: &Caller, act: Act) -> NewAuditEntry {
    entry_by(api, request, caller.user_id(), act)
}

fn entry_by(api: &Api, request: &HttpRequest, user_id: Option<UserId>, act: Act) -> NewAuditEntry {
    NewAuditEntry {
        user_id,
        action: act.action.to_owned(),
        resource_type: act.resource_type.to_owned(),
        resource_id: act.resource_id,
        description: act.description,
        address: address_of(request, &api.settings),
    }
}
