//! When a cron expression is due, as a sentence.

use super::cron::CronExpression;
use super::presets::CRON_PRESETS;
use crate::Language;

pub(super) fn sentence(expression: &CronExpression, language: Language) -> String {
    for preset in &CRON_PRESETS {
        if preset.expression == expression.as_str() {
            return match language {
                Language::ZhTw => preset.label_zh.to_owned(),
                Language::En => preset.label_en.to_owned(),
            };
        }
    }
    expression.as_str().to_owned()
}
