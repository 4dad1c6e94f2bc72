//! The languages in which people are told something.

use crate::text_enum;

text_enum! {
    /// The language of a message, by its BCP 47 tag.
    pub enum Language {
        /// Traditional Chinese as used in Taiwan.
        ZhTw => "zh-TW",
        /// English.
        En => "en",
    }
}
