//! Before files are restored, every reason against it is told, and nothing is changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use backup_core::restore::{RefusalCode, ReplacedFolder, TargetPlan};
use backup_core::{RestoreId, Target as _};
use backup_sources::{FilesTarget, FilesTargetOptions, FolderSwap};
use backup_tests::tools::{Mounted, is_root};
use backup_tests::tree::Scratch;

use crate::files::as_plain_user;
use crate::job;

fn swap(live: &Path) -> FolderSwap {
    let id: RestoreId = "0193a1de-0000-7000-8000-000000000001".parse().unwrap();
    FolderSwap::new(ReplacedFolder::of(&FolderSwap::resolve(live).unwrap(), id))
}

fn new(dir: &Path) -> FilesTarget {
    FilesTarget::new(dir.to_owned(), FilesTargetOptions::default())
}

fn plan_new(dir: &Path) -> TargetPlan {
    new(dir).plan(1000, 10, &job()).unwrap()
}

fn plan_replace(dir: &Path) -> TargetPlan {
    swap(dir).plan(1000, 10, &[], &job()).unwrap()
}

fn codes(plan: &TargetPlan) -> Vec<RefusalCode> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_can_be_restored_is_not_refused_and_nothing_is_changed() {
    let parent = Scratch::new();
    for (name, missing_above) in [("new", false), ("empty", false), ("not/yet", true)] {
        let dir = parent.path().join(name);
        if name == "empty" {
            fs::create_dir(&dir).unwrap();
        }
        let plan = plan_new(&dir);
        assert_eq!(codes(&plan), [], "{name}: {plan:?}");
        let told = plan.warnings.iter().any(|warning| warning.contains("would be made"));
        assert_eq!(told, missing_above, "{plan:?}");
        assert_eq!(plan.part.replaces, None);
        assert!(plan.part.free_bytes.unwrap() > 1000 && plan.part.needed_bytes == 1000);
        assert_eq!(codes(&plan_replace(&dir)), [], "{name}");
    }
    let replaced = plan_replace(&parent.path().join("empty"));
    assert_eq!(replaced.part.replaces.unwrap().size_bytes, None);
    assert_eq!(names_in(parent.path()), ["empty"]);
}

#[test]
fn every_reason_against_it_is_told() {
    let parent = Scratch::new();
    let at = |name: &str| parent.path().join(name);
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/file"), "mine").unwrap();
    for (place, code) in [
        ("full", RefusalCode::TargetNotEmpty),
        ("full/file", RefusalCode::TargetUnreachable),
        ("full/file/x", RefusalCode::TargetUnreachable),
    ] {
        let plan = plan_new(&at(place));
        assert_eq!(codes(&plan), [code], "{place}: {plan:?}");
        // The plan and the restore agree.
        assert!(new(&at(place)).prepare(&job()).is_err(), "{place}");
    }
    assert_eq!(codes(&plan_replace(&at("full/file"))), [RefusalCode::NotReplaceable]);

    let too_much = new(&at("new")).plan(u64::MAX / 2, u64::MAX, &job()).unwrap();
    assert!(codes(&too_much).starts_with(&[RefusalCode::NoSpace]), "{too_much:?}");
    let both = new(&at("full")).plan(u64::MAX, 1, &job()).unwrap();
    assert_eq!(codes(&both), [RefusalCode::TargetNotEmpty, RefusalCode::NoSpace]);
}

#[test]
fn a_folder_with_this_systems_own_data_is_not_replaced() {
    let parent = Scratch::new();
    let at = |name: &str| parent.path().join(name);
    fs::create_dir_all(at("app/data")).unwrap();
    fs::create_dir(at("app.old")).unwrap();
    symlink(at("app/data"), at("link")).unwrap();
    let plan = |keep_out: &[PathBuf]| codes(&swap(&at("app")).plan(0, 0, keep_out, &job()).unwrap());
    for inside in ["app", "app/data", "link", "app/data/not yet"] {
        assert_eq!(plan(&[at(inside)]), [RefusalCode::HoldsThisSystem], "{inside}");
    }
    assert_eq!(plan(&[at("app.old"), parent.path().to_owned()]), []);
    assert_eq!(plan(&[at("app"), at("link")]).len(), 2);
}

#[test]
fn what_an_earlier_restore_kept_stands_in_the_way() {
    let parent = Scratch::new();
    let live = parent.path().join("uploads");
    fs::create_dir(&live).unwrap();
    // Its own leftover it removes itself.
    let own = swap(&live).beside();
    fs::create_dir(&own).unwrap();
    fs::create_dir(parent.path().join(".uploads2.restore-x")).unwrap();
    assert_eq!(codes(&plan_replace(&live)), []);
    fs::create_dir(parent.path().join(".uploads.restore-other")).unwrap();
    let plan = plan_replace(&live);
    assert_eq!(codes(&plan), [RefusalCode::InTheWay]);
    assert!(plan.refusals[0].message.contains("uploads.restore-other"), "{plan:?}");
}

#[test]
fn what_is_mounted_cannot_be_exchanged() {
    let parent = Scratch::new();
    let live = parent.path().join("my uploads");
    fs::create_dir_all(live.join("volume")).unwrap();
    let options = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=50", "tmpfs"];
    let Ok(inner) = Mounted::at(&live.join("volume"), &options) else {
        backup_tests::note("nothing can be mounted here");
        return;
    };
    assert_eq!(codes(&plan_replace(&live)), [RefusalCode::NotReplaceable]);
    drop(inner);
    assert_eq!(codes(&plan_replace(&live)), []);
    let _itself = Mounted::at(&live, &options).unwrap();
    let plan = plan_replace(&live);
    assert_eq!(codes(&plan), [RefusalCode::NotReplaceable]);
    assert!(plan.refusals[0].hint.contains("new folder"), "{plan:?}");

    // Into it a new folder can be restored, as far as there is room.
    let inside = new(&live.join("new"));
    assert_eq!(codes(&inside.plan(1000, 10, &job()).unwrap()), []);
    for (bytes, entries) in [(2 << 20, 10), (1000, 60)] {
        let plan = inside.plan(bytes, entries, &job()).unwrap();
        assert_eq!(codes(&plan), [RefusalCode::NoSpace], "{plan:?}");
    }
}

#[test]
fn who_runs_as_root_is_told_nothing_of_owners() {
    let parent = Scratch::new();
    assert_eq!(plan_new(&parent.path().join("new")).warnings.is_empty(), is_root());
}

#[test]
fn a_plain_user_is_told_where_it_may_not_write() {
    as_plain_user("files_plan::plain_where_it_may_not_write");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_where_it_may_not_write() {
    let parent = Scratch::new();
    let at = |name: &str| parent.path().join(name);
    fs::create_dir_all(at("shut/live")).unwrap();
    fs::create_dir_all(at("blind/live")).unwrap();
    fs::set_permissions(at("shut"), fs::Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(at("blind/live"), fs::Permissions::from_mode(0o000)).unwrap();
    let plan = plan_new(&at("shut/new"));
    assert_eq!(codes(&plan), [RefusalCode::NotPermitted]);
    assert!(plan.warnings.iter().any(|warning| warning.contains("root")), "{plan:?}");
    assert_eq!(codes(&plan_replace(&at("shut/live"))), [RefusalCode::NotPermitted]);
    assert_eq!(codes(&plan_new(&at("blind/live"))), [RefusalCode::TargetUnreachable]);
    // To rename a folder one need not look into it.
    assert_eq!(codes(&plan_replace(&at("blind/live"))), []);
}
