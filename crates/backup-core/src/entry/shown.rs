//! Names as text for people, and back.

use std::fmt;

/// Bytes of a name as text for people.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for part in chunk.valid().split_inclusive(is_escaped) {
                let plain = part.strip_suffix(is_escaped).unwrap_or(part);
                f.write_str(plain)?;
                match part[plain.len()..].chars().next() {
                    None => {}
                    Some('\\') => f.write_str("\\\\")?,
                    Some(control @ '\0'..='\x7f') => write!(f, "\\x{:02x}", control as u32)?,
                    Some(mark) => write!(f, "\\u{{{:04x}}}", mark as u32)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Control characters, ends of lines and paragraphs, and the marks that change the direction of writing.
fn is_escaped(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\\' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The bytes that [`Shown`] shows as `text`; `None` where a backslash begins no escape.
pub(super) fn read(mut text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((plain, escape)) = text.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        text = if let Some(rest) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            rest
        } else if let Some(rest) = escape.strip_prefix('x') {
            let (digits, rest) = rest.split_at_checked(2)?;
            bytes.push(u8::try_from(hex(digits)?).ok()?);
            rest
        } else {
            let (digits, rest) = escape.strip_prefix("u{")?.split_once('}')?;
            let character = char::from_u32(hex(digits)?)?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest
        };
    }
    bytes.extend_from_slice(text.as_bytes());
    Some(bytes)
}

/// Digits alone: `from_str_radix` would take a leading plus sign too.
fn hex(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}
