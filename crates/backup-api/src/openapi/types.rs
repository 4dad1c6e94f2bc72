//! Schemas of what the domain owns: enums of fixed texts, identifiers. The domain knows nothing of HTTP, so each has a stand-in
//! here that a wire type names as the `value_type` of its field.

use backup_core::schedule::{CronExpression, DEFAULT_TIMEZONE};
use backup_core::text_enum::TextEnum;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// Declares the stand-ins of enums, by the enums' own names.
macro_rules! text_enums {
    ($($name:ident = $enum:ty,)+) => {$(
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text_enum::<$enum>()
            }
        }

        impl ToSchema for $name {}
    )+};
}

text_enums! {
    AlertKind = backup_core::AlertKind,
    AlertSeverity = backup_core::AlertSeverity,
    AlertState = backup_core::alert::AlertState,
    BackupSource = backup_core::BackupSource,
    BackupTrigger = backup_core::BackupTrigger,
    BackupType = backup_core::BackupType,
    Codec = backup_core::receipt::Codec,
    ConfigPart = backup_core::config::ConfigPart,
    FiringOutcome = backup_db::FiringOutcome,
    JobStatus = backup_core::JobStatus,
    LogLevel = backup_core::LogLevel,
    MessageLanguage = backup_core::Language,
    OrphanKind = backup_engine::OrphanKind,
    QuotaPolicy = backup_core::config::QuotaPolicy,
    RefusalCode = backup_core::restore::RefusalCode,
    ReplacementStage = backup_core::restore::ReplacementStage,
    RestoreAction = backup_core::restore::RestoreAction,
    RestoreMode = backup_core::restore::RestoreMode,
    RestorePart = backup_core::restore::RestorePart,
    RetentionRule = backup_core::retention::Rule,
    RetentionVerdict = backup_core::retention::Verdict,
    Role = backup_core::user::Role,
    SortBy = backup_core::list::SortBy,
    SortOrder = backup_core::list::SortOrder,
    Step = backup_core::Step,
    TokenScope = backup_core::user::TokenScope,
    VerifyLevel = backup_core::VerifyLevel,
    VerifyWhen = backup_core::schedule::VerifyWhen,
    WarningCode = backup_core::WarningCode,
    WebhookPreset = backup_core::notification::WebhookPreset,
}

/// A string enum of all values, described by the doc comments of the enum and of its values.
fn text_enum<T: TextEnum>() -> RefOr<Schema> {
    let values = T::VALUES
        .iter()
        .map(|&(_, text, doc)| ["\n- `", text, "`: ", doc.trim()].concat());
    let description: String = std::iter::once(T::DOC.trim().to_owned()).chain(values).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(T::VALUES.iter().map(|&(_, text, _)| text)))
        .description(Some(description))
        .into()
}

/// An identifier.
pub(crate) enum Id {}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uuid".to_owned())))
            .description(Some(
                "An identifier: a UUID in its hyphenated form, ascending by creation (UUIDv7).",
            ))
            .into()
    }
}

impl ToSchema for Id {}

/// A time, or a whole day in UTC, as a query takes it.
pub(crate) fn moment() -> Schema {
    let format = |format| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(format)))
    };
    AnyOfBuilder::new()
        .item(format(KnownFormat::DateTime))
        .item(format(KnownFormat::Date))
        .into()
}

/// A cron expression. Its values and ranges no pattern can say.
pub(crate) fn cron() -> Schema {
    cron_of(Type::String.into())
}

/// The same where it may be null.
pub(crate) fn optional_cron() -> Schema {
    cron_of(SchemaType::from_iter([Type::String, Type::Null]))
}

fn cron_of(types: SchemaType) -> Schema {
    text(types, CronExpression::MAX_LENGTH, CRON)
        .description(Some(
            "Five fields: minute, hour, day of the month, month, day of the week; or `@daily` and the like.",
        ))
        .examples(["0 2 * * *"])
        .into()
}

/// The name of a time zone, which has a default.
pub(crate) fn zone() -> Schema {
    zone_text().default(Some(DEFAULT_TIMEZONE.into())).into()
}

/// The same where absent is not the default.
pub(crate) fn optional_zone() -> Schema {
    zone_text().examples([DEFAULT_TIMEZONE]).into()
}

fn zone_text() -> ObjectBuilder {
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    text(types, MAX_ZONE, ZONE).description(Some(
        "The IANA name of a time zone: the one that the expression, and the hours, days and weeks of retention, are read in.",
    ))
}

/// White space, and the signs that one can be made of.
const CRON: &str = r"^[\s!-~]+$";

/// Steps of the quota, in a list that may be null.
pub(crate) fn percents() -> Schema {
    let percent = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(100));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(percent)
        .description(Some(
            "Percents of the quota from which an alert is raised, ascending; empty: none is.",
        ))
        .max_items(Some(10))
        .into()
}

/// What the names of zones are made of.
const ZONE: &str = r"^[A-Za-z0-9_+/-]+$";

/// Characters that no zone's name has.
const MAX_ZONE: usize = 64;

fn text(types: SchemaType, max: usize, pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(types)
        .max_length(Some(max))
        .pattern(Some(pattern))
}

/// Bytes as they are.
pub(crate) enum Binary {}

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .into()
    }
}

impl ToSchema for Binary {}
