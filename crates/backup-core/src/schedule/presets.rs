//! Common schedules to choose from.

/// A common schedule to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CronPreset {
    /// Stable name.
    pub key: &'static str,
    /// The five fields.
    pub expression: &'static str,
    /// The label in Traditional Chinese, as specified.
    pub label_zh: &'static str,
    /// The label in English.
    pub label_en: &'static str,
}

/// The specification's presets.
pub const CRON_PRESETS: [CronPreset; 6] = [
    CronPreset {
        key: "DAILY_2AM",
        expression: "0 2 * * *",
        label_zh: "每天凌晨 2:00",
        label_en: "Every day at 2:00",
    },
    CronPreset {
        key: "DAILY_3AM",
        expression: "0 3 * * *",
        label_zh: "每天凌晨 3:00",
        label_en: "Every day at 3:00",
    },
    CronPreset {
        key: "WEEKLY_SUNDAY",
        expression: "0 3 * * 0",
        label_zh: "每週日凌晨 3:00",
        label_en: "Every Sunday at 3:00",
    },
    CronPreset {
        key: "WEEKLY_SATURDAY",
        expression: "0 3 * * 6",
        label_zh: "每週六凌晨 3:00",
        label_en: "Every Saturday at 3:00",
    },
    CronPreset {
        key: "MONTHLY_FIRST",
        expression: "0 2 1 * *",
        label_zh: "每月 1 號凌晨 2:00",
        label_en: "On the 1st of every month at 2:00",
    },
    CronPreset {
        key: "HOURLY",
        expression: "0 * * * *",
        label_zh: "每小時整點",
        label_en: "Every hour, on the hour",
    },
];
