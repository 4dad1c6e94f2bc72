//! How values come into a template: `{name}` stands for a value, a line that begins with `{?name}` is only there with one, and
//! a line that begins with `{!name}` only without. The lines before the first empty one of the plain text are the subject.

use crate::Message;

/// The two forms of one message in one language.
pub(super) struct Template {
    pub(super) text: &'static str,
    pub(super) html: &'static str,
}

/// Names and what they stand for.
pub(super) type Values = Vec<(&'static str, String)>;

impl Template {
    pub(super) fn fill(&self, values: &Values) -> Message {
        let text = lines(self.text, values);
        let (subject, text) = text.split_once("\n\n").unwrap_or((&text, ""));
        let plain = |template: &str| fill(template, |name| of(values, name).map(str::to_owned));
        Message {
            // A value that holds a line break must not make a second header.
            subject: plain(subject).trim_end().replace(char::is_control, " "),
            text: plain(text),
            html: fill(&lines(self.html, values), |name| of(values, name).map(escape)),
        }
    }
}

fn of<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    let found = values.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

/// The lines of a template that are there with these values; of several empty ones, one.
fn lines(template: &str, values: &Values) -> String {
    let mut kept = String::with_capacity(template.len());
    let mut after_empty = true;
    for line in template.lines() {
        let has = |name| of(values, name).is_some_and(|value| !value.is_empty());
        let line = match condition(line) {
            Some((name, wanted, line)) if has(name) == wanted => line,
            Some(_) => continue,
            None => line,
        };
        if line.is_empty() && after_empty {
            continue;
        }
        after_empty = line.is_empty();
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// What a line depends on: the name, whether it must have a value, and the line itself.
fn condition(line: &str) -> Option<(&str, bool, &str)> {
    let (mark, line) = line.strip_prefix('{')?.split_once('}')?;
    let wanted = mark.strip_prefix('?').map(|name| (name, true));
    let (name, wanted) = wanted.or_else(|| mark.strip_prefix('!').map(|name| (name, false)))?;
    Some((name, wanted, line))
}

/// Puts the values in. A value is never looked at again, whatever it holds; a name without a value stays as it is.
pub(crate) fn fill(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after
            .split_once('}')
            .and_then(|(name, behind)| Some((value(name)?, behind)));
        if let Some((value, behind)) = known {
            filled.push_str(&value);
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
