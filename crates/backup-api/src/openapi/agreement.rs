//! Holds what the document says of bodies and queries against what reads them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::strict::{TEXT, TEXT_NOT_BLANK};
use crate::http::body::{self, Fields, FromFields};
use crate::http::params::{self, FromParams, Params};
use crate::wire::alert::AlertQuery;
use crate::wire::audit::AuditFilter;
use crate::wire::backup::{BackupQuery, CreateBackup, DeleteQuery, DownloadQuery, Protect, Verify};
use crate::wire::config::{ConfigChange, TestConfig};
use crate::wire::cron::CronPreview;
use crate::wire::entry::ContentsQuery;
use crate::wire::orphan::OrphanQuery;
use crate::wire::pause::PauseSystem;
use crate::wire::restore::{CreateRestore, Page};
use crate::wire::retention::{RetentionPolicy, RetentionPreview};
use crate::wire::schedule::{CreateSchedule, ScheduleQuery, UpdateSchedule};
use crate::wire::status::UsageQuery;
use crate::wire::user::{CreateToken, CreateUser, Credentials, UpdateUser};
use crate::wire::webhook::WebhookChange;

#[test]
fn bodies_are_read_as_documented() {
    body::<Credentials>(json!({ "email": "a@example.org", "password": "x" }));
    body::<CreateUser>(json!({
        "email": "a@example.org", "displayName": "x", "role": "ADMIN", "password": "12345678", "isActive": true,
    }));
    body::<UpdateUser>(json!({ "displayName": "x", "role": "ADMIN", "password": "12345678", "isActive": true }));
    body::<ConfigChange>(json!({
        "storageUrl": "file:///x", "storageConnectionString": "x", "containerName": "x", "databaseHost": "x",
        "databasePort": 5432, "databaseName": "x", "databaseUser": "x", "databasePassword": "x", "uploadDir": "/x",
        "compressionEnabled": true, "compressionAlgorithm": "zstd", "encryptionEnabled": true, "encryptionKey": "x",
        "notifyOnSuccess": true, "notifyOnFailure": true, "notificationEmails": ["a@example.org"],
        "quotaGigabytes": 1, "quotaPolicy": "WARN", "webhooks": [{ "name": "x", "url": "https://a.example/x" }],
        "notificationLanguage": "en", "usageAlertPercents": [80], "verifyWithinDays": 7,
        "maxConcurrentJobs": 2,
    }));
    body::<WebhookChange>(json!({
        "name": "x", "preset": "GENERIC", "url": "https://a.example/x", "template": "{}", "onSuccess": true,
        "onFailure": true,
    }));
    let keep = json!({
        "retentionDays": 30, "maxBackups": 10, "keepHourly": 1, "keepDaily": 1, "keepWeekly": 1, "keepMonthly": 1,
        "keepYearly": 1,
    });
    let mut schedule = json!({
        "name": "x", "description": "x", "backupType": "FULL", "backupSource": "FILES", "cronExpression": "0 2 * * *",
        "timezone": "UTC", "isEnabled": true, "configKey": "x", "verifyWhen": "EACH", "verifyLevel": "RESTORE",
        "verifyPercent": 1, "consolidateEvery": 1, "startWindow": "22:00-06:00",
    });
    for (name, value) in keep.as_object().unwrap() {
        schedule[name] = value.clone();
    }
    body::<CreateSchedule>(schedule.clone());
    body::<UpdateSchedule>(schedule);
    body::<RetentionPolicy>(keep.clone());
    body::<RetentionPreview>(json!({
        "scheduleId": "01890000-0000-7000-8000-000000000000", "policy": keep, "timezone": "UTC", "configKey": "x",
    }));
    body::<CronPreview>(json!({ "cronExpression": "0 2 * * *", "timezone": "UTC", "count": 5 }));
    body::<TestConfig>(json!({ "what": "STORAGE", "config": { "containerName": "x" } }));
    body::<CreateToken>(json!({ "name": "x", "scope": "READ", "expiresAt": "2030-01-01T00:00:00Z" }));
    body::<CreateBackup>(json!({ "type": "FULL", "source": "FILES", "description": "x", "configKey": "x" }));
    body::<PauseSystem>(json!({ "reason": "x" }));
    body::<Protect>(json!({ "protected": true }));
    body::<Verify>(json!({ "level": "CHECKSUM" }));
    body::<CreateRestore>(json!({
        "restoreDatabase": true, "restoreFiles": true, "restoreConfig": true, "targetDatabase": "x", "targetDir": "/x",
        "mode": "NEW", "paths": ["x"], "tables": ["x"], "safetyBackup": true,
        "skipOwner": true, "skipTablespaces": true, "keepOldHours": 1,
    }));
}

#[test]
fn queries_are_read_as_documented() {
    query::<BackupQuery>();
    query::<DeleteQuery>();
    query::<DownloadQuery>();
    query::<Page>();
    query::<AuditFilter>();
    query::<ContentsQuery>();
    query::<OrphanQuery>();
    query::<ScheduleQuery>();
    query::<AlertQuery>();
    query::<UsageQuery>();
}

/// Reads a body of `T` that has every field, and then again and again with one field at and beyond its documented limits.
#[expect(clippy::needless_pass_by_value, reason = "each call makes one")]
fn body<T: FromFields + ToSchema>(whole: Value) {
    let document = super::document("").unwrap();
    let schema = &document["components"]["schemas"][&*T::name()];
    let whole = whole.as_object().unwrap();
    let check = |object: Map<String, Value>, good: bool| {
        let shown = Value::from(object.clone());
        assert_eq!(body::read::<T>(object).is_ok(), good, "{}: {shown}", T::name());
    };
    check(whole.clone(), true);
    let mut fields = Fields::new(whole.clone());
    T::from_fields(&mut fields).ok().unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let documented: BTreeSet<String> = properties.keys().cloned().collect();
    assert_eq!(fields.asked, documented, "{}", T::name());
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();

    for (name, property) in properties {
        let with = |value: Value| {
            let mut object = whole.clone();
            object.insert(name.clone(), value);
            object
        };
        let mut without = whole.clone();
        without.remove(name);
        check(without, !required.contains(&name.as_str()));
        check(with(Value::Null), !required.contains(&name.as_str()));
        check(with(json!({})), is_object(property, &document));
        if let Some(default) = property.get("default") {
            check(with(default.clone()), true);
        }
        for (value, good) in values(property, &document) {
            check(with(value), good);
        }
        if let Some(max) = property["maxItems"].as_u64() {
            let item = &whole[name][0];
            check(with(vec![item.clone(); max as usize].into()), true);
            check(with(vec![item.clone(); max as usize + 1].into()), false);
            for (value, good) in values(&property["items"], &document) {
                check(with(json!([value])), good);
            }
        }
    }
}

/// The same for a query, in which nothing is required.
fn query<T: FromParams + IntoParams>() {
    let document = super::document("").unwrap();
    let parameters = T::into_params(|| None);
    let mut asked = Params::read("").unwrap();
    T::from_params(&mut asked).ok().unwrap();
    let documented: BTreeSet<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    assert_eq!(asked.asked, documented);
    for parameter in parameters {
        let (name, schema) = (parameter.name, json!(parameter.schema));
        let mut values = values(&schema, &document);
        values.extend(schema.get("default").map(|default| (default.clone(), true)));
        for (value, good) in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(
                params::read::<T>(&format!("{name}={text}")).is_ok(),
                good,
                "{name}={text}"
            );
        }
    }
}

/// Whether a schema is that of an object of which no field is required.
fn is_object(schema: &Value, document: &Value) -> bool {
    let parts = schema["oneOf"].as_array().into_iter().flatten();
    parts
        .chain([schema])
        .filter_map(|part| document.pointer(&part["$ref"].as_str()?[1..]))
        .any(|schema| schema.get("properties").is_some() && schema.get("required").is_none())
}

/// Values at the limits that a schema sets, and whether they are within.
fn values(schema: &Value, document: &Value) -> Vec<(Value, bool)> {
    for part in schema["oneOf"].as_array().into_iter().flatten() {
        if part["type"] != "null" {
            return values(part, document);
        }
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return values(document.pointer(&reference[1..]).unwrap(), document);
    }
    let mut values = Vec::new();
    if let Some(max) = schema["maxLength"].as_u64() {
        let pattern = schema["pattern"].as_str();
        if pattern.is_none_or(|pattern| [TEXT, TEXT_NOT_BLANK].contains(&pattern)) {
            values.push(("字".repeat(max as usize).into(), true));
            values.push(("x".repeat(max as usize).into(), true));
        }
        values.push(("x".repeat(max as usize + 1).into(), false));
        let is_short_password = schema["format"] == "password" && schema.get("minLength").is_none();
        values.push(("x\0".into(), is_short_password));
    }
    if schema["minLength"] == 1 {
        values.push(("".into(), false));
    }
    if let Some(min) = schema["minimum"].as_i64() {
        values.extend([(min.into(), true), ((min - 1).into(), false)]);
    }
    if let Some(max) = schema["maximum"].as_u64() {
        values.extend([(max.into(), true), ((max + 1).into(), false)]);
    }
    if let Some(names) = schema["enum"].as_array() {
        values.extend(names.iter().map(|name| (name.clone(), true)));
        values.extend([("STRANGER".into(), false), ("".into(), false)]);
    }
    if schema["type"] == "boolean" || schema["type"][0] == "boolean" {
        values.extend([(true.into(), true), (false.into(), true), ("maybe".into(), false)]);
    }
    if schema["format"] == "uuid" {
        values.extend([
            ("01890000-0000-7000-8000-000000000000".into(), true),
            ("1".into(), false),
        ]);
    }
    values
}
