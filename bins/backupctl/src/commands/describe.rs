use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Failure;
use crate::output::{Stdout, unwritable};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    // Not straight into stdout: the generator panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::with_settings_anywhere(), "backupctl", &mut script);
    Stdout.write_all(&script).map_err(|error| unwritable(&error))
}

/// Prints the manual page, or writes one for each command into a folder.
pub(crate) fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let written = match folder {
        Some(folder) => std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)),
        None => clap_mangen::Man::new(Cli::command()).render(&mut Stdout),
    };
    written.map_err(|error| unwritable(&error))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_command_stands_in_the_manual_and_in_the_completions_of_every_shell() {
        let mut command = Cli::command();
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for name in command.get_subcommands().map(clap::Command::get_name) {
            assert!(page.contains(&format!("backupctl\\-{name}")), "{name}: {page}");
        }
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "backupctl", &mut script);
            let script = String::from_utf8(script).unwrap();
            for name in ["catalog", "rebuild", "verify", "sheet"] {
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }
}
