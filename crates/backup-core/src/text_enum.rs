//! Enums that are text everywhere outside the program: on the wire, in the catalog, in receipts.

/// The text is none of the values that the enum knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a {name}: expected one of {expected}")]
pub struct ParseEnumError {
    /// What the enum is called.
    pub name: &'static str,
    /// The text that was given.
    pub value: String,
    /// The texts that are known, joined by commas.
    pub expected: String,
}

/// An enum of fixed texts, with what its doc comments say, for descriptions of the outside.
pub trait TextEnum: Copy + 'static {
    /// What the enum is called.
    const NAME: &'static str;
    /// Its doc comment.
    const DOC: &'static str;
    /// Every value with its text and its doc comment, in declaration order.
    const VALUES: &'static [(Self, &'static str, &'static str)];
}

/// Declares an enum whose values are fixed texts: `as_str`, `ALL`, `Display`, `FromStr` and serde all agree on them.
#[macro_export]
macro_rules! text_enum {
    ($(#[doc = $doc:literal])* pub enum $name:ident { $($(#[doc = $vdoc:literal])* $variant:ident => $text:literal,)+ }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $vdoc])* $variant,)+ }

        impl $crate::text_enum::TextEnum for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc),*);
            const VALUES: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$variant, $text, concat!($($vdoc),*)),)+];
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value's fixed text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text_enum::ParseEnumError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    $crate::text_enum::ParseEnumError {
                        name: stringify!($name),
                        value: text.to_owned(),
                        expected: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}
