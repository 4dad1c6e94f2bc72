//! Many schedules over a long time, on simulated clocks: schedulers are killed, started and asleep, their clocks step back and
//! forward, and still each instant fires once or is accounted for by the one firing that stands for it.
//!
//! The instants that are expected come from the expressions alone, walked once. By default a share that is quick;
//! `BACKUP_TEST_FULL=1 cargo test -p backup-db --test catalog a_year` takes a year of a thousand schedules.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::list::BackupListOptions;
use backup_core::schedule::Schedule;
use backup_core::{BackupId, BackupType, JobStatus, ManualClock, ScheduleId};
use backup_db::{Error, Fired, FiringOutcome, ScheduleListOptions, Store};
use backup_tests::dice::Dice;
use chrono::{DateTime, TimeDelta, Utc};

use crate::fixture::{Catalog, on_both};

on_both!(a_month_fires_each_instant_once);

const ZONES: [&str; 5] = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Taipei",
    "UTC",
];

/// How many schedules of each kind, and how long.
struct Share {
    hourly: u64,
    six_hourly: u64,
    daily: u64,
    weekly: u64,
    monthly: u64,
    begin: &'static str,
    days: i64,
    /// After one turn in so many everybody is asleep for an hour or three.
    pause_every: u64,
}

async fn a_month_fires_each_instant_once(catalog: Catalog) {
    let share = Share {
        hourly: 1,
        six_hourly: 3,
        daily: 36,
        weekly: 12,
        monthly: 8,
        // Lord Howe, London and New York change their clocks in it.
        begin: "2026-10-01T00:00:00Z",
        days: 33,
        pause_every: 60,
    };
    Simulation::run(&catalog, &share, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stderr, reason = "a measurement that is asked for by hand")]
async fn a_year_of_a_thousand_schedules_fires_each_instant_once() {
    if std::env::var_os("BACKUP_TEST_FULL").is_none() {
        return;
    }
    let catalog = Catalog::sqlite().await;
    let share = Share {
        hourly: 22,
        six_hourly: 20,
        daily: 720,
        weekly: 170,
        monthly: 68,
        begin: "2026-01-01T00:00:00Z",
        days: 365,
        pause_every: 400,
    };
    let begun = Instant::now();
    let counts = Simulation::run(&catalog, &share, 2).await;
    eprintln!("{counts:?} in {:.0?}", begun.elapsed());
}

/// A process that fires schedules, with a clock of its own.
struct Scheduler {
    /// `None`: it was killed.
    store: Option<Store>,
    clock: Arc<ManualClock>,
    /// How far its clock is ahead of the true time.
    ahead: TimeDelta,
    asleep_until: DateTime<Utc>,
}

/// What came of a simulation.
#[derive(Debug, Default)]
struct Counts {
    expected: usize,
    started: usize,
    caught_up: usize,
    skipped: usize,
    missed: u64,
    turns: u64,
    kills: u64,
    steps: u64,
    pauses: u64,
    /// In calls that fired something, and how many firings these gave.
    firing: Duration,
    fired: u32,
    per_firing: Duration,
}

struct Simulation<'a> {
    catalog: &'a Catalog,
    dice: Dice,
    now: DateTime<Utc>,
    schedulers: Vec<Scheduler>,
    /// Backups that take long, and when each ends.
    long: Vec<(BackupId, DateTime<Utc>)>,
    seen: HashSet<(ScheduleId, DateTime<Utc>)>,
    counts: Counts,
}

impl<'a> Simulation<'a> {
    async fn run(catalog: &'a Catalog, share: &Share, seed: u64) -> Counts {
        let begin: DateTime<Utc> = share.begin.parse().unwrap();
        let end = begin + TimeDelta::days(share.days);
        catalog.clock.set(begin);
        let mut simulation = Self {
            catalog,
            dice: Dice::new(seed),
            now: begin,
            schedulers: Vec::new(),
            long: Vec::new(),
            seen: HashSet::new(),
            counts: Counts::default(),
        };
        let expected = simulation.create(share, begin, end).await;
        for _ in 0..3 {
            let clock = Arc::new(ManualClock::new(begin));
            simulation.schedulers.push(Scheduler {
                store: Some(Store::open(&catalog.url, clock.clone()).await.unwrap()),
                clock,
                ahead: TimeDelta::zero(),
                asleep_until: begin,
            });
        }
        while simulation.now < end {
            simulation.disturb(share.pause_every).await;
            simulation.turn(end).await;
            simulation.counts.turns += 1;
        }
        // In the end somebody is there, at the true time.
        catalog.clock.set(end);
        while !catalog.store.fire_due_schedules(100).await.unwrap().is_empty() {}
        simulation.check(&expected, end).await
    }

    /// Makes the schedules. Gives the instants that each has.
    async fn create(
        &mut self,
        share: &Share,
        begin: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> HashMap<ScheduleId, Vec<DateTime<Utc>>> {
        let kinds = [share.hourly, share.six_hourly, share.daily, share.weekly, share.monthly];
        let mut expected = HashMap::new();
        for (kind, many) in kinds.into_iter().enumerate() {
            for number in 0..many {
                let minute = self.dice.of(&[0, 15, 30, 45]);
                // Mostly at night, when clocks are put forward and back.
                let any_hour = self.dice.below(24);
                let hour = self.dice.of(&[0, 1, 2, 2, 3, any_hour]);
                let cron_expression = match kind {
                    0 => format!("{minute} * * * *"),
                    1 => format!("{minute} */6 * * *"),
                    2 => format!("{minute} {hour} * * *"),
                    3 => format!("{minute} {hour} * * {}", self.dice.below(7)),
                    _ => format!("{minute} {hour} {} * *", self.dice.of(&["1", "15", "29", "31", "L"])),
                };
                let schedule = Schedule {
                    backup_type: BackupType::Full,
                    cron_expression,
                    timezone: ZONES[number as usize % ZONES.len()].to_owned(),
                    ..self.catalog.new_schedule()
                };
                let (cron, zone) = schedule.timing().unwrap();
                let id = self.catalog.store.create_schedule(schedule).await.unwrap().id;
                // A clock that is ahead fires what is still to come.
                let until = end + TimeDelta::hours(1);
                expected.insert(id, cron.upcoming(begin, zone).take_while(|at| *at <= until).collect());
            }
        }
        expected
    }

    /// What happens to processes and their clocks.
    async fn disturb(&mut self, pause_every: u64) {
        let which = self.dice.below(self.schedulers.len() as u64) as usize;
        let chosen = &mut self.schedulers[which];
        match self.dice.below(60) {
            0 => chosen.store = None,
            1..=3 if chosen.store.is_none() => {
                chosen.store = Some(Store::open(&self.catalog.url, chosen.clock.clone()).await.unwrap());
            }
            4 | 5 => {
                chosen.ahead = TimeDelta::minutes(self.dice.below(11) as i64 - 5);
                self.counts.steps += 1;
            }
            6 => chosen.asleep_until = self.now + TimeDelta::hours(1),
            _ => {}
        }
        if self.dice.one_in(pause_every) {
            // After more than an hour one stands for several instants.
            self.now += TimeDelta::hours(self.dice.of(&[1, 1, 3]));
            self.counts.pauses += 1;
        }
    }

    /// The next that wakes up fires; at times others do in the same moment, and at times it is killed meanwhile.
    async fn turn(&mut self, end: DateTime<Utc>) {
        let now = self.now;
        let awake = |scheduler: &&Scheduler| scheduler.store.is_some() && scheduler.asleep_until <= now;
        let Some(ahead) = self
            .schedulers
            .iter()
            .filter(awake)
            .map(|scheduler| scheduler.ahead)
            .max()
        else {
            self.now += TimeDelta::minutes(10);
            return;
        };
        let next = self.catalog.store.next_firing_at().await.unwrap().unwrap();
        self.now = now.max(next - ahead);
        if self.now >= end {
            return;
        }
        self.catalog.clock.set(self.now);
        let all_at_once = self.dice.one_in(5);
        let mut turns = Vec::new();
        for scheduler in self.schedulers.iter().filter(awake) {
            scheduler.clock.set(self.now + scheduler.ahead);
            if scheduler.ahead == ahead || all_at_once {
                turns.extend(scheduler.store.clone());
            }
            if turns.len() == 1 && !all_at_once {
                break;
            }
        }
        let begun = Instant::now();
        let tasks: Vec<_> = turns
            .into_iter()
            .map(|store| tokio::spawn(async move { fire_all(&store).await }))
            .collect();
        let killed = self.dice.one_in(200);
        if killed && let Some(task) = tasks.first() {
            // It may have fired or not; what it has fired, it tells nobody.
            tokio::task::yield_now().await;
            task.abort();
            self.counts.kills += 1;
        }
        let mut fired = Vec::new();
        for task in tasks {
            match task.await {
                Ok(of_one) => fired.extend(of_one.unwrap()),
                Err(error) => assert!(error.is_cancelled() && killed, "{error}"),
            }
        }
        if !fired.is_empty() && !all_at_once && !killed {
            self.counts.firing += begun.elapsed();
            self.counts.fired += fired.len() as u32;
        }
        self.end_backups(fired).await;
    }

    async fn end_backups(&mut self, fired: Vec<Fired>) {
        for fired in fired {
            let key = (fired.schedule.id, fired.firing.scheduled_at);
            assert!(self.seen.insert(key), "two were told that they fired {key:?}");
            let Some(backup) = fired.backup else { continue };
            // A few take so long that the next instant is passed over.
            let minutes = if self.dice.one_in(50) {
                self.dice.below(3_000)
            } else {
                0
            };
            self.long
                .push((backup.id, self.now + TimeDelta::minutes(minutes as i64)));
        }
        if self.counts.turns.is_multiple_of(50) {
            // Those whose scheduler was killed.
            let options = BackupListOptions {
                status: Some(JobStatus::Pending),
                limit: BackupListOptions::MAX_LIMIT,
                ..BackupListOptions::default()
            };
            for found in self.catalog.store.list_backups(&options).await.unwrap().backups {
                if self.long.iter().all(|(id, _)| *id != found.backup.id) {
                    self.long.push((found.backup.id, self.now));
                }
            }
        }
        let now = self.now;
        for (id, _) in self.long.extract_if(.., |(_, ends)| *ends <= now).collect::<Vec<_>>() {
            self.catalog.store.cancel_backup(id).await.unwrap();
        }
    }

    /// Each firing is of an instant that was to come, and stands for exactly those behind the firing before.
    async fn check(mut self, expected: &HashMap<ScheduleId, Vec<DateTime<Utc>>>, end: DateTime<Utc>) -> Counts {
        let mut backups = HashSet::new();
        let mut made = 0;
        for (id, instants) in expected {
            let place: HashMap<DateTime<Utc>, usize> = instants.iter().copied().zip(0..).collect();
            let mut next = 0;
            for firing in self.catalog.firings(*id).await {
                let at = firing.scheduled_at;
                let place = *place.get(&at).unwrap_or_else(|| panic!("{at} is no instant of {id}"));
                assert_eq!(
                    place.checked_sub(next),
                    Some(firing.missed as usize),
                    "{id} at {at}: neither fired nor told of: {:?}",
                    instants.get(next..place)
                );
                next = place + 1;
                match firing.outcome {
                    FiringOutcome::Started => self.counts.started += 1,
                    FiringOutcome::CaughtUp => self.counts.caught_up += 1,
                    FiringOutcome::Skipped => self.counts.skipped += 1,
                }
                self.counts.missed += u64::from(firing.missed);
                assert_eq!(
                    firing.backup_id.is_none(),
                    firing.outcome == FiringOutcome::Skipped,
                    "{firing:?}"
                );
                if let Some(backup) = firing.backup_id {
                    made += 1;
                    assert!(backups.insert(backup), "{firing:?}");
                }
            }
            let left = instants.get(next).filter(|at| **at <= end);
            assert_eq!(left, None, "{id} has not fired");
            self.counts.expected += next;
        }
        let mut options = ScheduleListOptions {
            limit: 100,
            ..ScheduleListOptions::default()
        };
        let mut stored = 0;
        loop {
            let page = self.catalog.store.list_schedules(&options).await.unwrap();
            stored += page.schedules.iter().map(|summary| summary.backups).sum::<u64>();
            options.offset += 100;
            if options.offset >= page.total {
                break;
            }
        }
        assert_eq!(stored, made, "backups that no firing asked for");
        assert!(
            self.counts.missed > 0 && self.counts.skipped > 0 && self.counts.started > 0,
            "a dull simulation"
        );
        self.counts.per_firing = self.counts.firing / self.counts.fired.max(1);
        self.counts
    }
}

async fn fire_all(store: &Store) -> Result<Vec<Fired>, Error> {
    let mut all = Vec::new();
    loop {
        let fired = store.fire_due_schedules(100).await?;
        if fired.is_empty() {
            return Ok(all);
        }
        all.extend(fired);
    }
}
