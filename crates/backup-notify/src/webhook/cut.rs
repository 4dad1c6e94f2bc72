//! Texts that a receiver takes only up to a length.

/// The text in the form that `form` gives each character, cut so that it has at most `max` UTF-16 units, which is how the
/// strictest receivers count. A cut never goes through what stands for one character.
pub(super) fn cut(text: &str, max: usize, form: impl Fn(char, &mut String)) -> String {
    let mut formed = String::with_capacity(text.len());
    // With the sign that something is missing, what comes before `fits` is as long as may be.
    let (mut units, mut fits) = (0, 0);
    for c in text.chars() {
        let start = formed.len();
        form(c, &mut formed);
        units += formed[start..].encode_utf16().count();
        if units > max {
            formed.truncate(fits);
            formed.push('…');
            return formed;
        }
        if units < max {
            fits = formed.len();
        }
    }
    formed
}

/// The text cut to at most `max` bytes.
pub(super) fn cut_bytes(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_characters_and_their_forms_whole() {
        let plain = |text, max| cut(text, max, |c, out| out.push(c));
        assert_eq!(plain("12345", 5), "12345");
        assert_eq!(plain("123456", 5), "1234…");
        assert_eq!(plain("備份備份備份", 5), "備份備份…");
        assert_eq!(plain("😀😀😀", 5), "😀😀…");
        let escaped = |text, max| {
            cut(
                text,
                max,
                |c, out| if c == '<' { out.push_str("&lt;") } else { out.push(c) },
            )
        };
        assert_eq!(escaped("a<b", 6), "a&lt;b");
        assert_eq!(escaped("a<bc", 6), "a&lt;…");
        assert_eq!(escaped("ab<cd", 5), "ab…");
        assert_eq!(cut_bytes("備份", 5), "備");
        assert_eq!(cut_bytes("備份", 6), "備份");
    }
}
