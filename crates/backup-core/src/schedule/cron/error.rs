//! What is wrong with a cron expression or a zone, so that it can be said at the field it is about.

use crate::text_enum;

text_enum! {
    /// A field of a cron expression.
    pub enum CronField {
        /// The minute, 0 to 59.
        Minute => "MINUTE",
        /// The hour, 0 to 23.
        Hour => "HOUR",
        /// The day of the month, 1 to 31.
        Day => "DAY",
        /// The month, 1 to 12 or its English name's first three letters.
        Month => "MONTH",
        /// The day of the week, 0 to 7 (0 and 7: Sunday) or its English name's first three letters.
        Weekday => "WEEKDAY",
    }
}

text_enum! {
    /// Why a part of a field cannot be read.
    pub enum CronReason {
        /// There is nothing between two commas, or before or behind one.
        Empty => "EMPTY",
        /// It is neither a number nor, in the fields that have them, a name.
        NotAValue => "NOT_A_VALUE",
        /// The number is smaller or greater than the field's.
        OutOfRange => "OUT_OF_RANGE",
        /// A range begins behind its end.
        Backwards => "BACKWARDS",
        /// A step stands behind a single value.
        StepWithoutRange => "STEP_WITHOUT_RANGE",
        /// A step is not a number from 1 to what the range holds.
        Step => "STEP",
        /// `*` or `?` stands in a list.
        NotAlone => "NOT_ALONE",
        /// `?`, `L`, `#` or `W` stands where it means nothing.
        NotHere => "NOT_HERE",
        /// What stands behind `#` is not a number from 1 to 5.
        Occurrence => "OCCURRENCE",
    }
}

impl CronReason {
    /// The reason in the middle of a sentence.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Empty => "a value is missing",
            Self::NotAValue => "it is not a value of this field",
            Self::OutOfRange => "it is out of range",
            Self::Backwards => "the range ends before it begins",
            Self::StepWithoutRange => "a step needs a range before it",
            Self::Step => "the step does not fit into the range",
            Self::NotAlone => "it must be the only value of the field",
            Self::NotHere => "the sign has no meaning here",
            Self::Occurrence => "there is no such occurrence in a month",
        }
    }

    /// What to do about it, a sentence.
    const fn hint(self) -> &'static str {
        match self {
            Self::Empty => "Separate values by single commas, and begin and end with a value.",
            Self::NotAValue => "Months have the names JAN to DEC, days of the week SUN to SAT; all else is a number.",
            Self::OutOfRange => {
                "Minutes are 0 to 59, hours 0 to 23, days 1 to 31, months 1 to 12, days of the week 0 to 7."
            }
            Self::Backwards => "Write two ranges: instead of 22-2, 22-23,0-2.",
            Self::StepWithoutRange => "Write the range: instead of 5/15, 5-59/15; from the first value on, */15.",
            Self::Step => "A step is a number from 1 to how many values the range holds.",
            Self::NotAlone => "Write it alone, or write the values.",
            Self::NotHere => {
                "? and L stand for a day of the month, ?, 5L and 5#2 for a day of the week; nothing else is known."
            }
            Self::Occurrence => "Write 1 to 5 behind the #.",
        }
    }
}

/// What is wrong with a cron expression or a zone. No message quotes more than 40 characters of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It has not five fields.
    #[error("a cron expression has five fields, not {found}")]
    FieldCount {
        /// How many it has.
        found: usize,
    },
    /// A field cannot be read.
    #[error("the {} field: '{value}': {}", field_name(*.field), .reason.phrase())]
    Field {
        /// Which one.
        field: CronField,
        /// The part of it that cannot be read, shortened.
        value: String,
        /// Why.
        reason: CronReason,
    },
    /// It begins with `@` and is none of the known names.
    #[error("'{name}' is not a known name of a schedule")]
    UnknownName {
        /// The name, shortened.
        name: String,
    },
    /// It can be read and matches no day of any year.
    #[error("the schedule never fires: no year has such a day")]
    Never,
    /// It is longer than [`CronExpression::MAX_LENGTH`](super::CronExpression::MAX_LENGTH).
    #[error("a cron expression has at most {max} characters")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// There is no zone of this name.
    #[error("'{name}' is not a time zone")]
    UnknownZone {
        /// The name, shortened.
        name: String,
    },
}

impl CronError {
    /// What a person should do, a sentence.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::FieldCount { .. } => {
                "Write minute, hour, day of the month, month and day of the week; there are no seconds and no years."
            }
            Self::Field { reason, .. } => reason.hint(),
            Self::UnknownName { .. } => {
                "Known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually."
            }
            Self::Never => "Choose a day that the month has.",
            Self::TooLong { .. } => "Make several schedules.",
            Self::UnknownZone { .. } => "Write an IANA name with its capitals, such as Asia/Taipei.",
        }
    }
}

const fn field_name(field: CronField) -> &'static str {
    match field {
        CronField::Minute => "minute",
        CronField::Hour => "hour",
        CronField::Day => "day of month",
        CronField::Month => "month",
        CronField::Weekday => "day of week",
    }
}

/// What of a foreign text may stand in a message: 40 characters, and none that acts on a terminal or turns the direction
/// of the line.
pub(in crate::schedule) fn excerpt(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown = text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c });
    shown.take(40).collect()
}
