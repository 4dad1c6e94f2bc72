use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Failure;
use crate::output::unwritable;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    // Not straight into stdout: the generator panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "backupctl", &mut script);
    io::stdout().write_all(&script).map_err(|error| unwritable(&error))
}

/// Prints the manual page, or writes one for each command into a folder.
pub(crate) fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let written = match folder {
        Some(folder) => std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)),
        None => clap_mangen::Man::new(Cli::command()).render(&mut io::stdout()),
    };
    written.map_err(|error| unwritable(&error))
}
