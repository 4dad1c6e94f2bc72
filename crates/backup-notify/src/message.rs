/// What is told, before it is known to whom and by which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// The whole of it as plain text, lines ending in `\n`.
    pub text: String,
    /// The same as HTML, for those whose programs show it.
    pub html: String,
}
