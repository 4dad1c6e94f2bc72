//! One history: what happens, and what must be true after each step and at the end.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use backup_tests::dice::Dice;
use backup_tests::system::restores::State;
use backup_tests::system::{System, stored_paths};
use backup_tests::{note, poll, postgres, tree};
use serde_json::{Value, json};

use crate::model::{self, Limits, Point};

/// How long catalog and storage may take to be what they should: leases run out, and the machine is busy.
const TRUTH: Duration = Duration::from_mins(1);

const TYPES: [&str; 5] = ["FULL", "DIFFERENTIAL", "INCREMENTAL", "INCREMENTAL", "INCREMENTAL"];
const SOURCES: [&str; 4] = ["FULL_SYSTEM", "FULL_SYSTEM", "FILES", "DATABASE"];
const CODECS: [&str; 3] = ["gzip", "zstd", "none"];

/// What stands for the beginning among the numbers of the steps.
const BEGINNING: u64 = 0;

struct Schedule {
    id: String,
    most: usize,
}

pub(crate) struct History {
    system: System,
    seed: u64,
    limits: Limits,
    schedules: Vec<Schedule>,
    points: Vec<Point>,
    old_keys: Vec<String>,
    /// Whether a server that ended by itself gave its turn of the hourly retention back, so that the next one takes it.
    turn_is_free: bool,
}

impl History {
    /// A system with something in it and a schedule for each source.
    pub(crate) fn begin(mut system: System, seed: u64) -> Self {
        let mut dice = dice_of(seed, BEGINNING);
        let (length, weight) = (dice.of(&["2", "5", "30"]), dice.of(&["60", "10000"]));
        let codec = dice.of(&CODECS);
        note(format!("chains of at most {length}, {weight} %; {codec}"));
        system
            .set("BACKUP_WORKERS", "2")
            .set("BACKUP_LEASE_SECONDS", "4")
            .set("BACKUP_CHAIN_MAX_LENGTH", length)
            .set("BACKUP_CHAIN_MAX_WEIGHT", weight)
            .set("BACKUP_COMPRESSION", codec);
        system.fill_a_little();
        for _ in 0..30 {
            tree::change(&system.uploads(), &mut dice);
        }
        for _ in 0..10 {
            postgres::change(&system.database, &mut dice);
        }
        system.start();
        let mut history = Self {
            system,
            seed,
            limits: Limits {
                length: length.parse().unwrap(),
                weigh: weight != "10000",
            },
            schedules: Vec::new(),
            points: Vec::new(),
            old_keys: Vec::new(),
            turn_is_free: true,
        };
        for source in ["FULL_SYSTEM", "FILES", "DATABASE"] {
            let (backup_type, most) = (dice.of(&TYPES), 1 + dice.below(3));
            note(format!("a schedule of {source}, {backup_type}, which keeps {most}"));
            let body = json!({
                "name": source, "backupType": backup_type, "backupSource": source, "cronExpression": "0 2 1 1 *",
                "retentionDays": 30, "maxBackups": most,
            });
            let made = history
                .system
                .api()
                .post("/api/admin/backup/schedule", &body)
                .expect(201);
            history.schedules.push(Schedule {
                id: made["schedule"]["id"].as_str().unwrap().to_owned(),
                most: most as usize,
            });
        }
        history
    }

    /// Changes what is to be backed up, then does one thing at random, and looks whether the right backups are there.
    pub(crate) fn step(&mut self, number: u64) {
        let mut dice = dice_of(self.seed, number);
        note(format!("step {number}"));
        for _ in 0..dice.below(7) {
            note(format!("  {}", tree::change(&self.system.uploads(), &mut dice)));
        }
        for _ in 0..dice.below(5) {
            note(format!("  {}", postgres::change(&self.system.database, &mut dice)));
        }
        match dice.below(20) {
            0..=5 => self.by_hand(&mut dice),
            6..=11 => self.by_schedule(&mut dice),
            12 | 13 => self.two_at_once(&mut dice),
            14..=16 => self.delete(&mut dice),
            17 => self.protect(&mut dice),
            18 => self.consolidate(&mut dice),
            _ => match dice.below(3) {
                0 => self.restart(&mut dice),
                1 => self.change_schedule(&mut dice),
                _ => self.kill(&mut dice),
            },
        }
        self.settle();
    }

    /// Every backup that is left brings back what was there, and nothing else is left.
    pub(crate) fn end(self) {
        for point in &self.points {
            note(format!("  restoring {} of {}", point.id(), point.source()));
            let differences = self
                .system
                .restored_differences(point.id(), point.source(), &point.state);
            assert_eq!(differences, Vec::<String>::new(), "{:#}", point.backup);
        }
        let _clean = self.system.backupctl(&["verify", "--all"]).expect(0);
    }

    fn by_hand(&mut self, dice: &mut Dice) {
        let (backup_type, source) = (dice.of(&TYPES), dice.of(&SOURCES));
        let state = Rc::new(self.system.state());
        let base = model::base(&self.points, backup_type, source).map(str::to_owned);
        let id = self.system.create_as(backup_type, source);
        self.made(&id, &state, Some((backup_type, base)));
    }

    fn by_schedule(&mut self, dice: &mut Dice) {
        let state = Rc::new(self.system.state());
        let schedule = dice.below(3) as usize;
        let (backup_type, source) = self.asked_by(schedule);
        let base = model::base(&self.points, &backup_type, &source).map(str::to_owned);
        let id = self.fire(schedule);
        self.made(&id, &state, Some((&backup_type, base)));
        self.retain(schedule);
    }

    /// One by hand while a schedule's is made and its retention runs. What each builds on depends on which is first.
    fn two_at_once(&mut self, dice: &mut Dice) {
        let state = Rc::new(self.system.state());
        let schedule = dice.below(3) as usize;
        let (_, source) = self.asked_by(schedule);
        let create = |dice: &mut Dice| self.system.create_as(dice.of(&TYPES), &source);
        let first = dice.one_in(2).then(|| create(dice));
        let fired = self.fire(schedule);
        let by_hand = match first {
            Some(id) => id,
            None => create(dice),
        };
        for id in [&fired, &by_hand] {
            self.made(id, &state, None);
        }
        self.retain(schedule);
    }

    fn fire(&self, schedule: usize) -> String {
        let path = format!("/api/admin/backup/schedule/{}/trigger", self.schedules[schedule].id);
        let fired = self.system.api().send("POST", &path, None).expect(202);
        fired["backup"]["id"].as_str().unwrap().to_owned()
    }

    fn asked_by(&self, schedule: usize) -> (String, String) {
        let path = format!("/api/admin/backup/schedule/{}", self.schedules[schedule].id);
        let shown = self.system.api().get(&path).expect(200)["schedule"].take();
        let word = |name: &str| shown[name].as_str().unwrap().to_owned();
        (word("backupType"), word("backupSource"))
    }

    /// A backup is made; where it is known what was asked for and what there was to build on, it is that, or the backup is
    /// FULL and says why.
    fn made(&mut self, id: &str, state: &Rc<State>, asked: Option<(&str, Option<String>)>) {
        let backup = self.system.completed(id);
        let (made, base) = (&backup["type"], &backup["baseId"]);
        note(format!("  {id}: {made} of {} on {base}", backup["source"]));
        if let Some((backup_type, expected)) = asked
            && (made, base.as_str()) != (&json!(backup_type), expected.as_deref())
            && !(made == backup_type && base.is_string() && base.as_str() == self.newer_full(expected.as_deref()))
        {
            assert_eq!(
                (made, base),
                (&json!("FULL"), &Value::Null),
                "on {expected:?}: {backup:#}"
            );
            let warnings = backup["warnings"].as_array().unwrap();
            let why = warnings.iter().find(|warning| warning["code"] == "PROMOTED_TO_FULL");
            let why = why.and_then(|warning| warning["message"].as_str()).unwrap_or_default();
            let reasons: &[&str] = if expected.is_some() {
                &["heavy", "long", "key"]
            } else {
                &["no base", "other sources"]
            };
            assert!(
                reasons.iter().any(|reason| why.contains(reason)),
                "on {expected:?}: {backup:#}"
            );
        }
        self.points.push(Point {
            backup,
            state: Rc::clone(state),
            protected: false,
        });
    }

    fn newer_full(&self, expected: Option<&str>) -> Option<&str> {
        expected.and_then(|base| model::newer_full(&self.points, base, &self.limits))
    }

    /// The schedule's retention has run.
    fn retain(&mut self, schedule: usize) {
        let Schedule { id, most } = &self.schedules[schedule];
        let stay = model::retained(&self.points, id, *most);
        for gone in self.points.iter().filter(|point| !stay.contains(point.id())) {
            note(format!("  {} goes by retention", gone.id()));
        }
        self.points.retain(|point| stay.contains(point.id()));
    }

    fn any(&self, dice: &mut Dice) -> Option<usize> {
        (!self.points.is_empty()).then(|| dice.below(self.points.len() as u64) as usize)
    }

    /// By hand, with or without those that build on it; what may not go stays, all of it.
    fn delete(&mut self, dice: &mut Dice) {
        let Some(chosen) = self.any(dice) else { return };
        let (id, cascade) = (self.points[chosen].id().to_owned(), dice.one_in(2));
        let mut doomed = model::dependents(&self.points, &id);
        let is_refused = !cascade && !doomed.is_empty();
        doomed.insert(id.clone());
        let is_protected = self
            .points
            .iter()
            .any(|point| point.protected && doomed.contains(point.id()));
        let expected = if is_refused || is_protected { 409 } else { 200 };
        note(format!("  deleting {id}, cascade={cascade}, is {expected}"));
        let path = format!("/api/admin/backup/{id}?cascade={cascade}");
        let _answer = self.system.api().delete(&path).expect(expected);
        if expected == 200 {
            self.points.retain(|point| !doomed.contains(point.id()));
        }
    }

    fn protect(&mut self, dice: &mut Dice) {
        let Some(chosen) = self.any(dice) else { return };
        let point = &mut self.points[chosen];
        point.protected = !point.protected;
        note(format!("  {} is protected: {}", point.id(), point.protected));
        let path = format!("/api/admin/backup/{}/protect", point.id());
        let _answer = self
            .system
            .api()
            .post(&path, &json!({ "protected": point.protected }))
            .expect(200);
    }

    /// Makes a full one of one that builds on others, by the command, and takes it into the catalog.
    fn consolidate(&mut self, dice: &mut Dice) {
        let chains: Vec<&Point> = self.points.iter().filter(|point| point.base().is_some()).collect();
        if chains.is_empty() {
            return;
        }
        let of = chains[dice.below(chains.len() as u64) as usize];
        let made = self.system.backupctl(&["consolidate", of.id(), "--json"]).expect(0);
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        let id = made["id"].as_str().unwrap();
        note(format!("  {id} is consolidated of {}", of.id()));
        let path = format!("/api/admin/backup/orphans/{id}/adopt");
        let adopted = self.system.api().send("POST", &path, None);
        assert!(adopted.status < 300, "{}", adopted.text());
        let verified = |backup: &Value| backup["verifiedAt"].is_string();
        let backup = self.system.wait_until(id, TRUTH, verified);
        assert_eq!(backup["verifyError"], Value::Null, "{backup:#}");
        let state = Rc::clone(&of.state);
        self.points.push(Point {
            backup,
            state,
            // What is adopted is.
            protected: true,
        });
    }

    /// The server ends and starts again with something set otherwise. The hourly retention is done at its start.
    fn restart(&mut self, dice: &mut Dice) {
        let _ended = self.system.take_server().terminate().expect(0);
        let (name, value) = match dice.below(4) {
            0 => ("BACKUP_FILES_READ_ALL", dice.of(&["true", "false"]).to_owned()),
            1 => {
                self.old_keys
                    .push(self.system.setting("BACKUP_ENCRYPTION_KEY").to_owned());
                self.system
                    .set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &self.old_keys.join(","));
                ("BACKUP_ENCRYPTION_KEY", format!("passphrase {}", dice.below(u64::MAX)))
            }
            _ => ("BACKUP_COMPRESSION", dice.of(&CODECS).to_owned()),
        };
        note(format!("  started again with {name}={value}"));
        self.system.set(name, &value).start();
        if self.turn_is_free {
            for schedule in 0..self.schedules.len() {
                self.retain(schedule);
            }
        }
    }

    fn change_schedule(&mut self, dice: &mut Dice) {
        let schedule = &mut self.schedules[dice.below(3) as usize];
        let (backup_type, most) = (dice.of(&TYPES), 1 + dice.below(4));
        note(format!("  schedule {} is {backup_type} and keeps {most}", schedule.id));
        schedule.most = most as usize;
        let path = format!("/api/admin/backup/schedule/{}", schedule.id);
        let body = json!({ "backupType": backup_type, "maxBackups": most });
        let _changed = self.system.api().send("PATCH", &path, Some(&body)).expect(200);
    }

    /// The server dies while it makes a backup, and the next one makes it.
    fn kill(&mut self, dice: &mut Dice) {
        let (backup_type, source) = (dice.of(&TYPES), dice.of(&SOURCES));
        let state = Rc::new(self.system.state());
        let base = model::base(&self.points, backup_type, source).map(str::to_owned);
        let id = self.system.create_as(backup_type, source);
        let far = dice.below(100);
        let reached = self.system.wait_until(&id, TRUTH, |backup| {
            backup["status"] == "COMPLETED"
                || (backup["status"] == "IN_PROGRESS" && backup["progress"].as_u64() >= Some(far))
        });
        let _killed = self.system.take_server().kill9();
        self.turn_is_free = false;
        note(format!("  killed at {} %", reached["progress"]));
        self.system.start();
        self.made(&id, &state, Some((backup_type, base)));
    }

    /// Catalog and storage come to hold exactly what they should.
    fn settle(&self) {
        let ids: BTreeSet<&str> = self.points.iter().map(Point::id).collect();
        let mut paths: Vec<String> = self
            .points
            .iter()
            .flat_map(|point| stored_paths(&point.backup))
            .collect();
        paths.sort();
        let listed = || -> BTreeSet<String> {
            let page = self.system.api().get("/api/admin/backup?limit=100").expect(200);
            let backups = page["backups"].as_array().unwrap();
            backups
                .iter()
                .map(|backup| backup["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let is_true = || {
            let is_listed = listed().iter().map(String::as_str).eq(ids.iter().copied());
            (is_listed && stored(&self.system) == paths).then_some(())
        };
        let settled = poll(TRUTH, is_true);
        assert!(
            settled.is_some(),
            "expected {ids:#?}\nlisted {:#?}\nstored {:#?}\n{}",
            listed(),
            stored(&self.system),
            self.system
                .server()
                .stderr()
                .lines()
                .filter(|line| !line.contains("http_request"))
                .collect::<String>()
        );
    }
}

/// What is stored. Hidden files that one who was killed left do no harm, and go when they are old.
fn stored(system: &System) -> Vec<String> {
    let mut paths = system.blobs.list();
    paths.retain(|path| !path.contains("/."));
    paths
}

/// Dice of one step, whatever was rolled in others.
fn dice_of(seed: u64, step: u64) -> Dice {
    let mut dice = Dice::new(seed);
    Dice::new(dice.below(u64::MAX) ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17))
}
