//! A password that a person types, or another program hands over.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use crate::exit::Failure;

/// Bytes that are read: more than the longest password, so that a longer one is refused and not cut.
const MAX_LINE: u64 = 4096;

/// Reads a line of stdin. On a terminal it is asked for on stderr, and what is typed is not shown.
pub(crate) fn read(email: &str) -> Result<SecretString, Failure> {
    let unreadable = |error: io::Error| Failure::failed(format!("the password cannot be read from stdin: {error}"));
    let stdin = io::stdin();
    let _hidden = if stdin.is_terminal() {
        let hidden = Hidden::begin().map_err(unreadable)?;
        // Nobody is left to be asked where stderr is gone.
        let _ = write!(io::stderr(), "Password of {email}, then Enter: ");
        Some(hidden)
    } else {
        None
    };
    first_line(stdin.lock()).map_err(unreadable)
}

/// The first line, without its end. What follows is not waited for.
fn first_line(input: impl BufRead) -> io::Result<SecretString> {
    let mut text = String::new();
    io::Read::take(input, MAX_LINE).read_line(&mut text)?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

/// While there is one, the terminal shows nothing of what is typed but the end of the line.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no modes.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use secrecy::ExposeSecret;

    use super::*;

    /// The input of somebody who does not end it.
    struct Open;

    impl Read for Open {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("more than the line was read"))
        }
    }

    #[test]
    fn a_line_is_enough() {
        let input = (&b"a password\r\n"[..]).chain(BufReader::new(Open));
        assert_eq!(first_line(input).unwrap().expose_secret(), "a password");
        assert_eq!(first_line(&b"no end"[..]).unwrap().expose_secret(), "no end");
        assert_eq!(first_line(&b""[..]).unwrap().expose_secret(), "");
    }
}
