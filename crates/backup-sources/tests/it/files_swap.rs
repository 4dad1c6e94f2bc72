//! A folder in use is replaced at one stroke, and whatever happens, it is whole: the one before or the restored one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use backup_core::restore::ReplacedFolder;
use backup_core::{PipelineError, RestoreId};
use backup_sources::{FolderSwap, FolderSwapState};
use backup_tests::tools::Mounted;
use backup_tests::tree::Scratch;

use crate::job;

const FILES: usize = 150;

fn id() -> RestoreId {
    "0193a1de-0000-7000-8000-000000000001".parse().unwrap()
}

/// A folder of many files that all say `what`.
fn fill(dir: &Path, what: &str) {
    fs::create_dir_all(dir.join("inner/most")).unwrap();
    for number in 0..FILES {
        fs::write(dir.join(format!("inner/most/{number}")), what).unwrap();
    }
    fs::write(dir.join("word"), what).unwrap();
}

/// What all files of the folder say; an error where they disagree or some are missing.
fn said(dir: &Path) -> Option<String> {
    let word = fs::read_to_string(dir.join("word")).ok()?;
    let all = (0..FILES).all(|number| {
        fs::read_to_string(dir.join(format!("inner/most/{number}")))
            .ok()
            .as_ref()
            == Some(&word)
    });
    assert!(all, "{} is a mixture", dir.display());
    Some(word)
}

fn names(live: &Path) -> ReplacedFolder {
    ReplacedFolder::of(&FolderSwap::resolve(live).unwrap(), id())
}

/// A swap up to the moment before the exchange.
fn restored_beside(live: &Path) -> FolderSwap {
    let mut swap = FolderSwap::new(names(live));
    fill(&swap.beside(), "new");
    swap.identify().unwrap();
    swap
}

fn refused(result: Result<(), PipelineError>, why: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn the_restored_folder_takes_the_place_and_the_one_before_comes_back() {
    let parent = Scratch::new();
    let live = parent.path().join("uploads");
    fill(&live, "old");
    let swap = restored_beside(&live);
    assert!(swap.names().had_live);
    assert_eq!(swap.state().unwrap(), FolderSwapState::Beside);
    assert_eq!(said(&live).unwrap(), "old");
    for _ in 0..2 {
        swap.swap().unwrap();
        assert_eq!(swap.state().unwrap(), FolderSwapState::Swapped);
        assert_eq!(
            (said(&live).unwrap(), said(&swap.beside()).unwrap()),
            ("new".into(), "old".into())
        );
    }
    // Whoever takes over has what was written down.
    let again = FolderSwap::new(swap.names().clone());
    refused(again.clone().clear_beside(&job()), "exchanged already");
    for _ in 0..2 {
        again.roll_back(&job()).unwrap();
        assert_eq!(said(&live).unwrap(), "old");
        assert!(!again.beside().exists());
    }
    assert_eq!(again.state().unwrap(), FolderSwapState::Gone);
    refused(again.swap(), "no restored folder");
    again.discard_old(&job()).unwrap();
    assert_eq!(said(&live).unwrap(), "old");
}

#[test]
fn the_one_before_is_discarded_only_while_the_restored_one_is_in_use() {
    let parent = Scratch::new();
    let live = parent.path().join("uploads");
    fill(&live, "old");
    let swap = restored_beside(&live);
    refused(swap.discard_old(&job()), "not the restored folder");
    swap.swap().unwrap();
    // Somebody puts another folder there.
    fs::rename(&live, parent.path().join("moved")).unwrap();
    for _ in 0..2 {
        refused(swap.discard_old(&job()), "not the restored folder");
        refused(swap.roll_back(&job()), "no longer in use");
        refused(swap.clone().clear_beside(&job()), "exchanged already");
        assert_eq!(said(&swap.beside()).unwrap(), "old");
        fs::create_dir_all(&live).unwrap();
    }
    fs::remove_dir(&live).unwrap();
    fs::rename(parent.path().join("moved"), &live).unwrap();
    for _ in 0..2 {
        swap.discard_old(&job()).unwrap();
        assert_eq!(swap.state().unwrap(), FolderSwapState::Alone);
    }
    refused(swap.roll_back(&job()), "was removed");
    assert_eq!(said(&live).unwrap(), "new");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_volume_that_is_not_mounted_is_neither_rolled_back_nor_emptied() {
    let parent = Scratch::new();
    let (volume, unmounted) = (parent.path().join("volume"), parent.path().join("unmounted"));
    let live = volume.join("uploads");
    fill(&live, "old");
    let swap = restored_beside(&live);
    swap.swap().unwrap();
    fs::rename(&volume, &unmounted).unwrap();
    fs::create_dir(&volume).unwrap();
    // Nothing is there, or what an application has made there since.
    for made in [None, Some(&live)] {
        if let Some(made) = made {
            fs::create_dir(made).unwrap();
        }
        refused(swap.put_back(), "neither the restored folder nor the one before");
        refused(swap.roll_back(&job()), "neither the restored folder nor the one before");
        refused(
            swap.discard_old(&job()),
            "neither the restored folder nor the one before",
        );
    }
    // What an older version wrote down does not say which folder it was.
    let mut names = swap.names().clone();
    names.former = None;
    FolderSwap::new(names).put_back().unwrap();

    fs::remove_dir_all(&volume).unwrap();
    fs::rename(&unmounted, &volume).unwrap();
    swap.roll_back(&job()).unwrap();
    assert_eq!(said(&live).unwrap(), "old");
    assert!(!swap.beside().exists());
}

#[test]
fn a_folder_that_got_the_number_of_the_restored_one_is_not_it() {
    let parent = Scratch::new();
    let live = parent.path().join("uploads");
    fill(&live, "old");
    let swap = restored_beside(&live);
    swap.swap().unwrap();
    // As if the one in use had been removed and made anew, which may give it the same number.
    let mut names = swap.names().clone();
    let restored = names.restored.as_mut().unwrap();
    let Some((seconds, _)) = &mut restored.born else {
        backup_tests::note("the file system does not say when a folder was made");
        return;
    };
    *seconds -= 1;
    let anew = FolderSwap::new(names);
    assert_eq!(anew.state().unwrap(), FolderSwapState::Gone);
    refused(anew.discard_old(&job()), "not the restored folder");
    assert_eq!(said(&swap.beside()).unwrap(), "old");
}

#[test]
fn where_nothing_was_in_use_nothing_is_after_it_was_taken_back() {
    let parent = Scratch::new();
    let live = parent.path().join("uploads");
    let swap = restored_beside(&live);
    assert!(!swap.names().had_live);
    swap.swap().unwrap();
    swap.swap().unwrap();
    assert_eq!(said(&live).unwrap(), "new");
    assert_eq!(swap.state().unwrap(), FolderSwapState::Alone);
    for _ in 0..2 {
        swap.roll_back(&job()).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_an_earlier_attempt_left_is_cleared_and_links_are_not_followed() {
    let (parent, outside) = (Scratch::new(), Scratch::new());
    fill(outside.path(), "mine");
    let live = parent.path().join("uploads");
    fill(&live, "old");
    let mut swap = FolderSwap::new(names(&live));
    fill(&swap.beside(), "half");
    symlink(outside.path(), swap.beside().join("link")).unwrap();
    // It ends at once where the job does, and goes on later.
    let cancelled = job();
    cancelled.cancel();
    let error = swap.clear_beside(&cancelled).unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    for _ in 0..2 {
        swap.clear_beside(&job()).unwrap();
        assert!(!swap.beside().exists());
    }
    symlink(outside.path(), swap.beside()).unwrap();
    assert!(swap.identify().is_err());
    swap.clear_beside(&job()).unwrap();
    assert!(swap.beside().symlink_metadata().is_err());
    // Also a whole one, as long as it is not in use.
    let mut swap = restored_beside(&live);
    swap.clear_beside(&job()).unwrap();
    assert_eq!(swap.state().unwrap(), FolderSwapState::NotRestored);
    assert_eq!(
        (said(outside.path()).unwrap(), said(&live).unwrap()),
        ("mine".into(), "old".into())
    );
}

#[test]
fn a_link_stays_and_the_folder_behind_it_is_replaced() {
    let parent = Scratch::new();
    let real = parent.path().join("disk/uploads");
    fill(&real, "old");
    let link = parent.path().join("link");
    symlink("disk/uploads", &link).unwrap();
    assert_eq!(
        FolderSwap::resolve(&link).unwrap(),
        real.canonicalize().unwrap().to_str().unwrap()
    );
    restored_beside(&link).swap().unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("disk/uploads"));
    assert_eq!(said(&link).unwrap(), "new");

    let missing = FolderSwap::resolve(&link.join("not/yet")).unwrap();
    assert_eq!(missing, real.canonicalize().unwrap().join("not/yet").to_str().unwrap());
    symlink("nowhere", parent.path().join("broken")).unwrap();
    for bad in ["broken", "missing/../x", "link/word/x"] {
        refused(
            FolderSwap::resolve(&parent.path().join(bad)).map(drop),
            "cannot be replaced",
        );
    }
    refused(FolderSwap::resolve(Path::new("/")).map(drop), "cannot be replaced");
}

#[test]
fn what_is_mounted_in_the_one_before_is_not_emptied() {
    let (parent, outside) = (Scratch::new(), Scratch::new());
    fill(outside.path(), "mine");
    let live = parent.path().join("uploads");
    fill(&live, "old");
    fs::create_dir(live.join("volume")).unwrap();
    let swap = restored_beside(&live);
    swap.swap().unwrap();
    let point = swap.beside().join("volume");
    let Ok(mounted) = Mounted::at(&point, &["--bind", outside.path().to_str().unwrap()]) else {
        backup_tests::note("nothing can be mounted here");
        return;
    };
    refused(swap.discard_old(&job()), "mounted");
    drop(mounted);
    assert_eq!(said(outside.path()).unwrap(), "mine");
    swap.discard_old(&job()).unwrap();
    assert!(!swap.beside().exists());
}

/// Names as a job's row keeps them.
fn write_down(place: &Path, names: &ReplacedFolder) {
    let temporary = place.with_extension("new");
    fs::write(&temporary, serde_json::to_vec(names).unwrap()).unwrap();
    fs::rename(temporary, place).unwrap();
}

#[test]
#[ignore = "run by the test below, which kills it"]
fn replace_again_and_again() {
    let parent = PathBuf::from(std::env::var_os("SWAP_FOLDER").unwrap());
    let (live, row) = (parent.join("uploads"), parent.join("row"));
    let step = || {
        let mut out = std::io::stdout();
        out.write_all(b"\nstep\n").unwrap();
        out.flush().unwrap();
    };
    loop {
        let mut swap = FolderSwap::new(names(&live));
        write_down(&row, swap.names());
        step();
        swap.clear_beside(&job()).unwrap();
        step();
        fill(&swap.beside(), "new");
        swap.identify().unwrap();
        write_down(&row, swap.names());
        step();
        swap.swap().unwrap();
        step();
        swap.roll_back(&job()).unwrap();
        step();
    }
}

#[test]
fn killed_at_any_moment_it_is_whole_and_a_reader_always_finds_it() {
    let scratch = Scratch::new();
    let parent = scratch.path().canonicalize().unwrap();
    let (live, row) = (parent.join("uploads"), parent.join("row"));
    fill(&live, "old");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0u64;
            while !done.load(Ordering::Relaxed) {
                let word = fs::read_to_string(live.join("word")).unwrap();
                assert!(word == "old" || word == "new", "{word}");
                read += 1;
            }
            read
        });
        let killed = (1..=25).try_for_each(|steps| {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "files_swap::replace_again_and_again",
                    "--ignored",
                    "--nocapture",
                ])
                .env("SWAP_FOLDER", &parent)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let seen = lines
                .map_while(Result::ok)
                .filter(|line| line == "step")
                .take(steps)
                .count();
            child.kill().unwrap();
            child.wait().unwrap();
            if seen < steps {
                return Err(format!("it ended by itself after {seen} of {steps} steps"));
            }
            let word = said(&live);
            if word.as_deref() != Some("old") && word.as_deref() != Some("new") {
                return Err(format!("after {steps} steps: {word:?}"));
            }
            let swap = FolderSwap::new(serde_json::from_slice(&fs::read(&row).unwrap()).unwrap());
            swap.roll_back(&job())
                .map_err(|error| format!("after {steps} steps: {error}"))?;
            let left: Vec<_> = fs::read_dir(&parent)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            let strange = left
                .iter()
                .filter(|name| !name.to_string_lossy().starts_with("row"))
                .count();
            if said(&live).as_deref() == Some("old") && strange == 1 {
                Ok(())
            } else {
                Err(format!("after {steps} steps: {left:?}"))
            }
        });
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
        assert_eq!(killed, Ok(()));
    });
}
