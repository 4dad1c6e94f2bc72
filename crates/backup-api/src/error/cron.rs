//! What is wrong with a cron expression or a time zone, said in the caller's language at the field that it is about.

use backup_core::schedule::{CronError, CronField, CronReason};
use serde_json::{Value, json};

use super::ApiError;

impl From<CronError> for ApiError {
    fn from(error: CronError) -> Self {
        let zone = matches!(error, CronError::UnknownZone { .. });
        let mut details = json!({
            "field": if zone { "timezone" } else { "cronExpression" },
            "problem": format!("{error} (HINT: {})", error.hint()),
        });
        let invalid = |sentence| Self::bad_request("cron_invalid").sentence(sentence);
        let error = match error {
            CronError::FieldCount { found } => invalid("cron_invalid.FIELD_COUNT").with("found", found),
            CronError::Field { field, value, reason } => {
                details["cronField"] = json!(field);
                details["reason"] = json!(reason);
                details["value"] = Value::from(value.as_str());
                // The value last: what the caller has written is never looked at again.
                invalid(sentence(reason))
                    .with_word("field", name(field))
                    .with("range", range(field))
                    .with("value", value)
            }
            CronError::UnknownName { name } => invalid("cron_invalid.UNKNOWN_NAME").with("name", name),
            CronError::Never => invalid("cron_invalid.NEVER"),
            CronError::TooLong { max } => invalid("cron_invalid.TOO_LONG").with("max", max),
            CronError::UnknownZone { name } => Self::bad_request("timezone_unknown").with("name", name),
        };
        error.details(details)
    }
}

const fn sentence(reason: CronReason) -> &'static str {
    match reason {
        CronReason::Empty => "cron_invalid.EMPTY",
        CronReason::NotAValue => "cron_invalid.NOT_A_VALUE",
        CronReason::OutOfRange => "cron_invalid.OUT_OF_RANGE",
        CronReason::Backwards => "cron_invalid.BACKWARDS",
        CronReason::StepWithoutRange => "cron_invalid.STEP_WITHOUT_RANGE",
        CronReason::Step => "cron_invalid.STEP",
        CronReason::NotAlone => "cron_invalid.NOT_ALONE",
        CronReason::NotHere => "cron_invalid.NOT_HERE",
        CronReason::Occurrence => "cron_invalid.OCCURRENCE",
    }
}

const fn name(field: CronField) -> &'static str {
    match field {
        CronField::Minute => "cron.field.MINUTE",
        CronField::Hour => "cron.field.HOUR",
        CronField::Day => "cron.field.DAY",
        CronField::Month => "cron.field.MONTH",
        CronField::Weekday => "cron.field.WEEKDAY",
    }
}

const fn range(field: CronField) -> &'static str {
    match field {
        CronField::Minute => "0-59",
        CronField::Hour => "0-23",
        CronField::Day => "1-31",
        CronField::Month => "1-12",
        CronField::Weekday => "0-7",
    }
}

#[cfg(test)]
mod tests {
    use backup_core::schedule::{CronExpression, Zone};

    use super::*;
    use crate::language::Language;

    async fn said(error: CronError, language: Language) -> (String, Value) {
        let response = ApiError::from(error).response(language);
        assert_eq!(response.status(), 400);
        let body = actix_web::body::to_bytes(response.into_body()).await.ok().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (body["error"].as_str().unwrap().to_owned(), body)
    }

    #[tokio::test]
    async fn every_mistake_is_said_in_every_language() {
        for (text, quoted) in [
            ("", "5"),
            ("* * * *", "4"),
            ("60 * * * *", "60"),
            ("* 5,, * * *", "小時"),
            ("* * x * *", "x"),
            ("* * * 12-1 *", "12-1"),
            ("5/15 * * * *", "5/15"),
            ("*/70 * * * *", "*/70"),
            ("* * * * *,1", "*"),
            ("? * * * *", "?"),
            ("* * * * 5#9", "5#9"),
            ("@noon", "@noon"),
            ("0 0 31 2 *", "永遠不會"),
            (&"0".repeat(201), "200"),
            ("{value} * * * *", "{value}"),
        ] {
            let error = CronExpression::parse(text).unwrap_err();
            let (chinese, body) = said(error.clone(), Language::ZhTw).await;
            assert!(
                chinese.starts_with("無效的 Cron 表達式：") && chinese.contains(quoted),
                "{text}: {chinese}"
            );
            assert_eq!(
                (&body["code"], &body["details"]["field"]),
                (&json!("cron_invalid"), &json!("cronExpression"))
            );
            let (english, _) = said(error, Language::En).await;
            assert!(
                english.starts_with("The cron expression is not valid: "),
                "{text}: {english}"
            );
            for sentence in [&chinese, &english] {
                assert!(!sentence.replace("{value}", "").contains('{'), "{text}: {sentence}");
            }
        }
        let zone = "Mars/Olympus".parse::<Zone>().unwrap_err();
        let (chinese, body) = said(zone, Language::ZhTw).await;
        assert!(
            chinese.contains("時區") && chinese.contains("Mars/Olympus"),
            "{chinese}"
        );
        assert_eq!(body["code"], "timezone_unknown");
    }
}
