//! Schemas of what the domain owns: enums of fixed texts, identifiers. The domain knows nothing of HTTP, so each has a stand-in
//! here that a wire type names as the `value_type` of its field.

use backup_core::text_enum::TextEnum;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
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
    JobStatus = backup_core::JobStatus,
    OrphanKind = backup_engine::OrphanKind,
    QuotaPolicy = backup_core::config::QuotaPolicy,
    RestoreMode = backup_core::restore::RestoreMode,
    Role = backup_core::user::Role,
    SortBy = backup_core::list::SortBy,
    SortOrder = backup_core::list::SortOrder,
    TokenScope = backup_core::user::TokenScope,
    VerifyLevel = backup_core::VerifyLevel,
    WarningCode = backup_core::WarningCode,
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
