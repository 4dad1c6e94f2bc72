use std::collections::HashMap;

use backup_core::Language;
use backup_core::schedule::{CRON_PRESETS, CronExpression, Zone};
use chrono::DateTime;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::any;

fn say(expression: &str) -> (String, String) {
    let expression = CronExpression::parse(expression).unwrap();
    (expression.describe(Language::En), expression.describe(Language::ZhTw))
}

#[test]
fn presets_say_what_their_labels_say() {
    for preset in CRON_PRESETS {
        let (en, zh) = say(preset.expression);
        assert_eq!((en.as_str(), zh.as_str()), (preset.label_en, preset.label_zh));
    }
}

#[test]
fn sentences() {
    let cases = [
        ("* * * * *", "Every minute", "每分鐘"),
        ("*/15 * * * *", "Every 15 minutes", "每 15 分鐘"),
        ("15 * * * *", "Every hour, at minute 15", "每小時第 15 分"),
        ("5,35 * * * *", "At minutes 5 and 35 of every hour", "每小時第 5、35 分"),
        (
            "0-29 * * * *",
            "At minutes 0 to 29 of every hour",
            "每小時第 0 至 29 分",
        ),
        (
            "*/7 * * * *",
            "Every 7 minutes from minute 0 to minute 56 of every hour",
            "每小時第 0 分至第 56 分，每 7 分鐘",
        ),
        (
            "*/15 8-18 * * MON-FRI",
            "Every 15 minutes from 8:00 to 18:59, Monday to Friday",
            "每週一至週五 8:00 至 18:59，每 15 分鐘",
        ),
        (
            "*/20 0-5,22,23 * * *",
            "Every 20 minutes from 0:00 to 5:59 and from 22:00 to 23:59, every day",
            "每天 0:00 至 5:59、22:00 至 23:59，每 20 分鐘",
        ),
        (
            "* 2 * * *",
            "Every minute from 2:00 to 2:59, every day",
            "每天 2:00 至 2:59，每分鐘",
        ),
        (
            "0 8-18 * * *",
            "Every hour from 8:00 to 18:00, every day",
            "每天 8:00 至 18:00，每小時一次",
        ),
        (
            "15 */2 * * *",
            "Every 2 hours from 0:15 to 22:15, every day",
            "每天 0:15 至 22:15，每 2 小時一次",
        ),
        (
            "30 8,12,20 * * *",
            "Every day at 8:30, 12:30 and 20:30",
            "每天上午 8:30、中午 12:30、晚上 8:30",
        ),
        (
            "0,30 14 * * *",
            "Every day at 14:00 and 14:30",
            "每天下午 2:00、下午 2:30",
        ),
        (
            "0 0 * * 1,3,5",
            "Every Monday, Wednesday and Friday at 0:00",
            "每週一、三、五凌晨 0:00",
        ),
        (
            "0 6 * * 6,7",
            "Every Saturday and Sunday at 6:00",
            "每週六、日上午 6:00",
        ),
        ("0 6 * * 1-5", "Monday to Friday at 6:00", "每週一至週五上午 6:00"),
        (
            "0 * * * 0",
            "Every hour, on the hour, every Sunday",
            "每週日，每小時整點",
        ),
        (
            "0 3 1,15,L * *",
            "On the 1st, the 15th and the last day of every month at 3:00",
            "每月 1 號、15 號及最後一天凌晨 3:00",
        ),
        (
            "0 3 L * *",
            "On the last day of every month at 3:00",
            "每月最後一天凌晨 3:00",
        ),
        (
            "0 3 1-7 * *",
            "On the 1st to the 7th of every month at 3:00",
            "每月 1 號至 7 號凌晨 3:00",
        ),
        ("@yearly", "On the 1st of January at 0:00", "每年 1 月 1 號凌晨 0:00"),
        (
            "0 1 22,23 */3 *",
            "On the 22nd and the 23rd of January, April, July and October at 1:00",
            "每年 1 月、4 月、7 月、10 月的 22 號、23 號凌晨 1:00",
        ),
        (
            "0 1 * 1-3 *",
            "Every day in January to March at 1:00",
            "每年 1 月至 3 月的每一天凌晨 1:00",
        ),
        ("0 1 * 5 0", "Every Sunday in May at 1:00", "每年 5 月的每週日凌晨 1:00"),
        (
            "0 1 * * 5L",
            "On the last Friday of every month at 1:00",
            "每月最後一個週五凌晨 1:00",
        ),
        (
            "0 1 * 2 5#2,1#1",
            "On the first Monday and the second Friday of February at 1:00",
            "每年 2 月第一個週一、第二個週五凌晨 1:00",
        ),
        (
            "0 0 13 * FRI",
            "On the 13th of every month, and also every Friday, at 0:00",
            "每月 13 號，以及每週五，凌晨 0:00",
        ),
        (
            "*/30 * 13 6 FRI",
            "Every 30 minutes, on the 13th of June, and also every Friday in June",
            "每年 6 月 13 號，以及每年 6 月的每週五，每 30 分鐘",
        ),
        ("0 2 1-31 * 1", "Every day at 2:00", "每天凌晨 2:00"),
        ("0 2 * * 0-6", "Every day at 2:00", "每天凌晨 2:00"),
    ];
    for (expression, en, zh) in cases {
        assert_eq!(say(expression), (en.to_owned(), zh.to_owned()), "{expression}");
    }
}

/// No field is left out and none is said wrongly enough to be taken for another: whoever is told the same has the same
/// schedule.
#[test]
fn equal_sentences_are_equal_schedules() {
    let start = DateTime::from_timestamp(1_750_000_000, 0).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut said: HashMap<String, (String, Vec<_>)> = HashMap::new();
    for _ in 0..6000 {
        let expression = any::expression().new_tree(&mut runner).unwrap().current();
        let runs: Vec<_> = expression.upcoming(start, Zone::UTC).take(100).collect();
        for language in Language::ALL {
            let text = expression.describe(*language);
            let (other, same) = said
                .entry(text.clone())
                .or_insert_with(|| (expression.to_string(), runs.clone()));
            assert_eq!(*same, runs, "{text}: {other} and {expression}");
        }
    }
}
