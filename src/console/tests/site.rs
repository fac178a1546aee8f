//! View 5 on sites that are made here: what is drawn are the figures, every figure has its rows, and whole screens.

use super::stage::Stage;
use crate::clock::{Wall, Zone};
use crate::console::app::rollout::wire::Wish;
use crate::console::app::{Effect, Event, Level, enabled};
use crate::console::drivers::Incoming;
use crate::console::drivers::rollout::Desk;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::console::term::Screen;
use crate::console::theme::{ColourLevel, Theme};
use crate::executor::ask::Question;
use crate::host::open::Looked;
use crate::rollout::account::{Account, Forecast, Said};
use crate::rollout::cache::Cache;
use crate::rollout::count::Part;
use crate::rollout::ground::Ground;
use crate::rollout::refresh::Look;
use crate::rollout::select::Figure;
use crate::rollout::session::Read;
use crate::site::ids::tests::machine as id;
use crate::site::ids::{JobId, MachineId};
use crate::site::index::job::{Job, Word, parse_source};
use crate::site::index::members::Member;
use crate::terms::{Code, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A site in memory, and the driver's desk that counts it.
pub struct Site {
    pub ground: Ground,
    pub look: Look,
    pub cache: Cache,
    desk: Desk,
    from: Receiver<Incoming>,
}

fn job(id: &str, request: &str, package: &str) -> (Job, Word) {
    let job: JobId = id.parse().unwrap();
    let hash = "ab".repeat(32);
    let text = format!(
        "job_id = \"{id}\"\nrequest_id = \"{request}\"\npackage_id = \"BP00000A\"\npackage = \"{package}\"\nversion = \"1\"\n\
         release = 1\npackage_sha256 = \"{hash}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\n\
         background = true\nplatforms = [\"linux-x86_64\"]\nrun_when = \"any\"\nmax_run_time = \"30m\"\nrestarts = \"no\"\n\
         disk_space = \"0 B\"\nremoves = false\ntargets = [\"@all\"]\n[exit_codes]\n\"17\" = \"success\"\n"
    );
    parse_source(text.as_bytes(), job, &"abcdefgh12345678".parse().unwrap(), "job", &[]).unwrap()
}

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What a machine says of a request: anything.
fn said(dice: &mut Dice, request: &str, job: &str, now: Wall) -> Said {
    let state = match dice.below(3) {
        0 => State::Succeeded,
        1 => State::Waiting,
        _ => dice.of(State::ALL),
    };
    let at = now - TimeDelta::minutes(dice.below(3_000) as i64);
    let next = now + TimeDelta::minutes(dice.below(5_000) as i64 - 100);
    let codes = [Code::WindowClosed, Code::UserLoggedOn, Code::Busy];
    let ended = !matches!(state, State::Waiting | State::Running);
    Said {
        job_id: Some(job.parse().unwrap()),
        since: Some(at),
        attempt: 1,
        blocked_by: if state == State::Waiting {
            (0..dice.below(3)).map(|_| dice.of(&codes)).collect()
        } else {
            Vec::new()
        },
        exit_code: (state == State::Failed).then(|| 1_600 + dice.below(3) as i64),
        result: (state == State::Failed).then(|| "fatal error during installation".into()),
        started_at: Some(at),
        ended_at: ended.then_some(at),
        forecast: match dice.below(4) {
            0 => Some(Forecast::Never),
            1 => None,
            _ => Some(Forecast::Runs { next, latest: Some(next + TimeDelta::hours(2)) }),
        },
        ..Said::of(request.parse().unwrap(), state)
    }
}

impl Site {
    /// So many machines that say anything.
    pub fn any(machines: usize, seed: u64, now: Wall) -> Site {
        let mut dice = Dice(seed);
        let jobs = vec![
            job("BP0000AA", "BP0000Y", "Acme Workstation"),
            job("BP0000AB", "BP0000Z", "Printer driver"),
        ];
        let (mut members, mut cache) = (Vec::new(), Cache::nowhere());
        for n in 0..machines {
            let groups = if n % 3 == 0 { vec!["web".to_owned()] } else { Vec::new() };
            members.push(Member { machine: id(n), host: Some(format!("node-{n}")), adopt: None, groups });
            let heard = match dice.below(12) {
                0 => continue,
                1 => Err(SafeText::from("its report is malformed")),
                old => Ok(Account {
                    publication: (1, dice.below(3) as u64 + 1),
                    reported_at: now - TimeDelta::minutes(9),
                    written: now - TimeDelta::minutes(if old == 2 { 6_000 } else { 9 }),
                    interval: Duration::from_secs(300),
                    heartbeat: Duration::from_secs(3_600),
                    host: format!("node-{n}").into(),
                    pcm_version: "1.0".into(),
                    users: Some(1),
                    disk_free: Some(3 << 30),
                    hours_on: Some(60),
                    requests: vec![
                        said(&mut dice, "BP0000Y", "BP0000AA", now),
                        said(&mut dice, "BP0000Z", "BP0000AB", now),
                    ],
                    ..Account::default()
                }),
            };
            cache.put(id(n), Looked { size: 1, changed: 1, number: n as u64 }, &heard);
        }
        let look = Look { read: machines as u64, whole: true, ..Look::default() };
        let (to, from) = channel();
        Site { ground: Ground::shown(jobs, members, (1, 3)), look, cache, desk: Desk::new(to), from }
    }

    /// What the thread would say to this wish.
    pub fn news(&mut self, wish: Wish, now: Wall) -> Vec<Event> {
        let read = Read::of(&self.look, &self.cache);
        assert!(self.desk.counts(wish, &self.ground, &read, now));
        let events = self.from.try_iter().map(|incoming| match incoming {
            Incoming::Event(event) => event,
            other => panic!("{other:?}"),
        });
        events.collect()
    }
}

pub(super) fn stage(machines: usize, seed: u64, width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height);
    stage.site = Some(Site::any(machines, seed, stage.now));
    stage.keys("5");
    stage
}

/// The number that stands behind a word in the sum.
fn drawn(screen: &str, part: Part) -> u64 {
    let sum = &screen[screen.find("targets").unwrap_or_else(|| panic!("{screen}"))..];
    let word = format!("{} ", part.words());
    let at = sum.find(&word).unwrap_or_else(|| panic!("{part}: {screen}")) + word.len();
    let digits: String = sum[at..].chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
    digits.replace(',', "").parse().unwrap()
}

#[test]
fn what_is_drawn_sums_up_and_each_figure_has_exactly_its_rows() {
    let mut figures = 0;
    for seed in 0..60 {
        let mut stage = stage(1 + seed * 7 % 60, seed as u64, 120, 60);
        stage.keys("Enter");
        let job = stage.app.rollout.job().unwrap();
        let (targets, parts) = (job.targets, job.parts());
        let screen = stage.screen();
        for (part, n) in parts {
            assert_eq!(drawn(&screen, part), n, "{part}: {screen}");
        }
        assert_eq!(parts.iter().map(|(_, n)| n).sum::<u64>(), targets);
        let waiting: u64 = job.reasons.iter().map(|reason| reason.machines).sum();
        assert_eq!(waiting, job.waiting, "reasons sum to those that wait");
        for (n, figure) in stage.app.rollout.figures().to_vec().into_iter().enumerate() {
            let number = figure.number(stage.app.rollout.job().unwrap());
            stage.app.rollout.figure.select(n);
            stage.keys("Enter");
            assert_eq!(stage.app.rollout.level, Level::Machines);
            assert_eq!(stage.app.rollout.machines().len() as u64, number, "{figure:?}");
            stage.keys("Esc");
            figures += 1;
        }
    }
    assert!(figures > 600, "{figures}");
}

#[test]
fn conditions_marks_and_sorting_are_of_the_list_and_rows_keep_their_places() {
    let mut stage = stage(300, 5, 80, 24);
    stage.keys("i Esc Enter");
    assert_eq!(stage.app.rollout.level, Level::Machines, "Esc leads to the job, Enter to its first figure");
    let all = stage.app.rollout.machines().len();
    stage.keys("/ 'group_==_\"web\" Enter");
    let screen = stage.screen();
    let web = stage.app.rollout.machines().len();
    assert!(web > 0 && web < all && screen.contains(&format!("{web} of {all}")), "{screen}");
    stage.keys("Space Space");
    assert_eq!(stage.app.rollout.marked.len(), 2);
    stage.keys("*");
    assert_eq!(stage.app.rollout.marked.len(), web - 2);
    // Back: the marks, the condition, the list.
    stage.keys("Esc");
    assert!(stage.app.rollout.marked.is_empty());
    stage.keys("Esc");
    assert_eq!(stage.app.rollout.machines().len(), all);
    stage.keys("/ 'group_=_x Enter");
    assert!(stage.app.typing() && stage.screen().contains('"') || stage.app.rollout.list.complaint.is_some());
    stage.keys("Esc");
    // Of those behind one reason some would leave.
    stage.app.rollout.show(Figure::Part(Part::Waiting));
    stage.keys("s");
    let hosts = |stage: &Stage| -> Vec<MachineId> {
        stage.app.rollout.machines().iter().map(|row| row.machine).collect()
    };
    let sorted = hosts(&stage);
    // One that was elsewhere says something else by now: it is told, and nothing moves.
    let site = stage.site.as_mut().unwrap();
    let first = sorted[0];
    let mut account = site.cache.heard(first).unwrap().unwrap();
    account.requests.iter_mut().for_each(|said| said.state = State::Queued);
    site.cache.put(first, Looked { size: 2, changed: 2, number: 0 }, &Ok(account));
    stage.keys("F5");
    assert_eq!(hosts(&stage), sorted);
    let changed = &stage.app.rollout.list.listed.as_ref().unwrap().changed;
    assert!(changed.contains(&first), "{changed:?}");
    assert!(stage.screen().contains(">+"), "{}", stage.screen());
    stage.tick(61);
    assert!(stage.app.rollout.list.listed.as_ref().unwrap().changed.is_empty(), "a minute without a key");
}

#[test]
fn a_row_that_leaves_takes_its_mark_along_and_puts_no_other_under_the_cursor() {
    let mut stage = stage(300, 5, 80, 24);
    stage.keys("Enter");
    stage.app.rollout.show(Figure::Part(Part::Waiting));
    stage.keys("s j Space k");
    let rows: Vec<MachineId> = stage.app.rollout.machines().iter().map(|row| row.machine).collect();
    let leaves = rows[1];
    assert_eq!((stage.app.rollout.machine(), stage.app.rollout.marked.len()), (Some(leaves), 1));
    let site = stage.site.as_mut().unwrap();
    let mut account = site.cache.heard(leaves).unwrap().unwrap();
    account.requests.iter_mut().for_each(|said| said.state = State::Succeeded);
    site.cache.put(leaves, Looked { size: 2, changed: 2, number: 0 }, &Ok(account));
    stage.keys("F5");
    let screen = stage.screen();
    assert!(screen.contains(&format!("{leaves} left")), "{screen}");
    assert!(screen.contains("lost their marks"), "{screen}");
    assert!(!stage.app.rollout.machines().iter().any(|row| row.machine == leaves));
    // Who meant it neither marks nor opens its neighbour, not after a minute either.
    for key in ["Space", "Enter"] {
        stage.keys(key);
        assert!(stage.app.rollout.marked.is_empty(), "{key}");
        assert!(stage.screen().contains("which was selected, left the list"), "{key}: {}", stage.screen());
        assert_eq!((stage.app.rollout.level, stage.app.rollout.machine()), (Level::Machines, None), "{key}");
    }
    stage.tick(61);
    assert_eq!(stage.app.rollout.machine(), None);
    // The next one is what comes next, in the order that there is now.
    stage.keys("j");
    let selected = stage.app.rollout.machine().unwrap();
    assert!(stage.app.rollout.machines()[1].machine == selected && rows.contains(&selected), "{selected}");
}

#[test]
fn a_reason_says_since_when_it_holds_machines_up_what_ends_it_and_what_can_be_done() {
    let mut stage = stage(400, 11, 200, 50);
    stage.keys("b");
    assert!(stage.screen().contains("the first since"), "{}", stage.screen());
    let mut told = 0;
    for (n, figure) in stage.app.rollout.figures().to_vec().into_iter().enumerate() {
        let Figure::Held(holder) = figure else { continue };
        stage.app.rollout.figure.select(n);
        let number = figure.number(stage.app.rollout.job().unwrap());
        stage.keys("Enter");
        assert_eq!(stage.app.rollout.machines().len() as u64, number, "{holder}");
        let screen = stage.screen();
        if let Some(code) = Code::ALL.iter().find(|code| code.as_str() == holder) {
            assert!(screen.contains(&format!("until {}", code.row().opens)), "{holder}: {screen}");
            told += 1;
        }
        assert!(
            !screen.contains("user logged on, user logged on"),
            "a report may name one thing twice: {screen}"
        );
        stage.keys("Esc");
    }
    assert!(told > 2, "{told}");
}

#[test]
fn what_keeps_the_figures_away_is_said_with_what_helps() {
    let mut stage = Stage::new(80, 24);
    stage.keys("5");
    assert!(stage.screen().contains("looking at the site"), "{}", stage.screen());
    let failure = crate::error::Failure::new(
        crate::error::Exit::Usage,
        "no-site-folder",
        "no site folder is named",
        "Name it with --folder DIR",
    );
    stage.event(Event::Rollout(crate::console::app::rollout::wire::News::Fault(failure)));
    let screen = stage.screen();
    assert!(screen.contains("no site folder is named") && screen.contains("--folder DIR"), "{screen}");
    for key in ["Enter", "b", "o", "i", "A", "P", "/", "Space", "*", "s", "G", "Esc", "Esc"] {
        stage.keys(key);
    }
}

#[test]
fn times_of_the_site_are_told_in_its_zone() {
    let kolkata = Zone::from_posix("Asia/Kolkata", "IST-5:30").unwrap();
    let mut own = stage(400, 11, 120, 36);
    let (mut sites, mut machines) = (stage(400, 11, 120, 36), stage(400, 11, 120, 36));
    sites.app.options.site_zone = Some(kolkata.clone());
    machines.app.options.zone = kolkata;
    let below = |screen: &str| screen.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    for key in ["", "Enter", "Enter", "Enter"] {
        let screens = [&mut own, &mut sites, &mut machines].map(|stage| stage.keys(key).screen());
        let [own, site, machine] = screens;
        // Beside other times of this console the clock says which.
        assert!(site.lines().next().unwrap().contains(" +05:30"), "{site}");
        assert!(!machine.lines().next().unwrap().contains(" +05:30"), "{machine}");
        assert_eq!(below(&site), below(&machine));
        assert_ne!(below(&site), below(&own));
    }
}

#[test]
fn a_job_is_suspended_only_with_the_number_of_its_machines() {
    let mut stage = stage(120, 9, 80, 24);
    let verbs = |stage: &Stage| -> Vec<Vec<String>> {
        let verb = |effect: &Effect| match effect {
            Effect::Verb(words) => Some(words.clone()),
            _ => None,
        };
        stage.effects.iter().filter_map(verb).collect()
    };
    stage.keys("P 'y Enter Enter y");
    assert!(verbs(&stage).is_empty() && stage.screen().contains("type the number"), "{}", stage.screen());
    stage.keys("Esc P '120 Tab 'too_many_calls Enter y");
    let words = ["job", "suspend", "BP0000AA", "--expect", "120", "--reason", "too many calls"];
    let sent = verbs(&stage);
    assert!(sent.len() == 1 && sent[0].len() == 7 && sent[0][..4] == words[..4], "{sent:?}");
    assert_eq!(sent[0][5..], words[5..]);
    stage.app.options.read_only = true;
    stage.keys("P");
    assert!(stage.screen().contains("--read-only"), "{}", stage.screen());
}

#[test]
fn what_means_this_machine_alone_is_refused_among_those_of_the_site() {
    let mut stage = stage(60, 9, 120, 36);
    for level in ["", "Enter", "Enter", "Enter"] {
        stage.keys(level);
        // Of a machine that is selected a hold can be meant.
        let of_this = if stage.app.rollout.level < Level::Machines { &["h", "H", "p"][..] } else { &["p"] };
        for key in of_this {
            stage.keys(key);
            let screen = stage.screen();
            assert!(screen.contains("only of this machine, web-01; 1 shows it"), "{key}: {screen}");
            assert!(stage.app.overlays.is_empty(), "{key}: {screen}");
        }
        for id in [Id::Restart, Id::DeferRestart, Id::CancelRestart] {
            assert!(enabled(&stage.app, id).is_err(), "{id:?}");
        }
    }
    let change = |effect: &Effect| matches!(effect, Effect::Ask { question: Question::Change(_), .. });
    assert!(!stage.effects.iter().any(change));
}

#[test]
fn help_and_palette_say_why_a_command_of_the_rollout_does_nothing_now() {
    let mut stage = stage(60, 9, 120, 36);
    stage.app.options.site_folder = false;
    let ids = [Id::Advance, Id::SuspendJob, Id::Open, Id::Mark, Id::Where, Id::Poll];
    let why = |stage: &Stage| ids.map(|id| enabled(&stage.app, id));
    let bare = why(&stage);
    assert!(bare[1].is_err() && bare[2].is_ok() && bare[3].is_err());
    stage.keys("?");
    assert_eq!(why(&stage), bare);
    stage.keys("Esc : 'suspend-job");
    let screen = stage.screen();
    assert!(screen.contains("only the site folder can change a job"), "{screen}");
}

#[test]
fn a_key_on_the_list_of_machines_costs_under_300_bytes() {
    let theme = Theme::load("default", None, ColourLevel::Ansi16).unwrap();
    let mut stage = stage(2_000, 3, 80, 24);
    stage.keys("Enter Enter");
    let mut screen = Screen::new(80, 24, true);
    screen.show(stage.buffer(&theme), &mut std::io::sink()).unwrap();
    for key in [Key::Char('j'), Key::Char('j'), Key::Char('k'), Key::Char(' ')] {
        let mut written = Vec::new();
        stage.key(key);
        // What a mark says at the foot is one line more.
        stage.key(Key::Char('k'));
        screen.show(stage.buffer(&theme), &mut written).unwrap();
        assert!(written.len() < 600, "{key}: {} bytes for two keys", written.len());
    }
}

fn picture(keys: &str, width: u16, height: u16) -> String {
    let mut stage = stage(400, 11, width, height);
    stage.keys(keys);
    stage.picture()
}

macro_rules! levels {
    ($($name:ident $keys:literal;)*) => {$(
        #[test]
        fn $name() {
            for (width, height) in [(80, 24), (120, 36), (200, 50), (40, 15)] {
                insta::assert_snapshot!(format!("{}_{width}x{height}", stringify!($name)), picture($keys, width, height));
            }
        }
    )*};
}

levels! {
    rollout_jobs "";
    rollout_job "Enter";
    rollout_machines "Enter Enter j";
    rollout_machine "Enter Enter Enter";
    rollout_suspend "P";
}
