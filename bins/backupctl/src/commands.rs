mod access;
mod catalog;
mod check;
mod consolidate;
mod contents;
mod describe;
mod key;
mod list;
mod open;
mod restore;
mod sheet;

use crate::cli::{CatalogCommand, Cli, Command, KeyCommand, TokenCommand, UserCommand};
use crate::exit::Failure;

/// Runs the command that was given.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let settings = &cli.settings;
    match cli.command {
        Command::List => list::list(settings).await,
        Command::Show { backup } => list::show(settings, &backup.id).await,
        Command::Contents {
            backup,
            path,
            recursive,
        } => contents::contents(settings, &backup.id, path.as_deref(), recursive).await,
        Command::Verify {
            id: Some(id), level, ..
        } => check::verify(settings, &id, level).await,
        Command::Verify { id: None, level, .. } => check::verify_all(settings, level).await,
        Command::Restore(args) => restore::restore(settings, args).await,
        Command::Extract { backup, path, output } => {
            open::extract(settings, &backup.id, &path, output.as_deref()).await
        }
        Command::Decrypt { backup, full, output } => open::decrypt(settings, &backup.id, full, &output).await,
        Command::Consolidate { backup } => consolidate::consolidate(settings, &backup.id).await,
        Command::Catalog(CatalogCommand::Rebuild {
            settings_from,
            leave_out_unreadable,
        }) => catalog::rebuild(settings, settings_from.as_deref(), leave_out_unreadable).await,
        Command::Key(KeyCommand::Check) => check::key(settings).await,
        Command::Key(KeyCommand::Rotate) => key::rotate(settings).await,
        Command::Key(KeyCommand::Sheet {
            output,
            language,
            with_passphrases,
        }) => sheet::print(settings, output.as_deref(), &language, with_passphrases).await,
        Command::User(UserCommand::Add {
            email,
            name,
            role,
            password,
        }) => access::add_user(settings, &email, name, role, password).await,
        Command::Token(TokenCommand::Create {
            name,
            scope,
            expires_days,
        }) => access::create_token(settings, &name, scope, expires_days).await,
        Command::Completions { shell } => describe::completions(shell),
        Command::Man { output } => describe::man(output.as_deref()),
    }
}
