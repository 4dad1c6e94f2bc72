//! The name under which a browser saves what it downloads (RFC 6266).

use std::fmt::Write;

/// `Content-Disposition` for a download of this name. What not every client and file system takes is replaced; where that
/// changes the name, the whole one stands beside it for the clients that know RFC 5987.
pub(crate) fn attachment(name: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let safe: String = name.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    let mut text = format!("attachment; filename=\"{safe}\"");
    if safe != name {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a text cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_name_is_no_header_and_no_path() {
        assert_eq!(attachment("a-1.tar.gz"), "attachment; filename=\"a-1.tar.gz\"");
        assert_eq!(
            attachment("照片 1.txt"),
            "attachment; filename=\"___1.txt\"; filename*=UTF-8''%E7%85%A7%E7%89%87%201.txt"
        );
        assert_eq!(
            attachment("a\";\r\nx: ../b\\"),
            "attachment; filename=\"a____x__.._b_\"; filename*=UTF-8''a%22%3B%0D%0Ax%3A%20..%2Fb%5C"
        );
    }
}
