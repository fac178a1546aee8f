//! A log of 2,000 lines a second that is rotated a thousand times in every way while it is followed: `cargo bench --bench
//! rotate`. Each line has a number; what `pcm log -f` prints, and what view 3 saves of its pane, is counted: lines told twice,
//! lines missing, whether a mark stands where they are missing, and marks where nothing is. Prints figures and judges nothing.
//!
//! `PCM_ROTATIONS` is how often each log is rotated (1,000), `PCM_ROTATE_PAUSE` the pauses in milliseconds (150-650),
//! `PCM_ROTATE_KINDS` which kinds (numbered,dated,copied,hole,deleted), `PCM_ROTATE_THROUGH` who follows (headless,view),
//! `PCM_ROTATE_PCM` another binary than the one of this build. All of them run at once.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use common::Site;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WORDS: &str = " is a line of a log that is rotated all the time.";
/// How long whatever is waited for may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How often what is in the pane is saved: long before its oldest lines leave it.
const SAVED: Duration = Duration::from_millis(1_500);

/// How the log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// To the next number; those before move on.
    Numbered,
    /// To a name of its own. The writer hears of it later, and goes on in the old file meanwhile.
    Dated,
    /// Copied to the same name each time, and cut.
    Copied,
    /// The same under a writer that does not append: what it was at is a hole.
    Hole,
    /// Deleted; the writer makes it again.
    Deleted,
}

const KINDS: [(&str, Kind); 5] = [
    ("numbered", Kind::Numbered),
    ("dated", Kind::Dated),
    ("copied", Kind::Copied),
    ("hole", Kind::Hole),
    ("deleted", Kind::Deleted),
];

/// What was told, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Line(usize),
    /// Something may be missing here; whether a copy was read.
    Mark(bool),
    Problem(String),
    /// Part of a line, where a copy ended or a file was cut.
    Torn(String),
}

fn main() {
    let times: usize = var("PCM_ROTATIONS").and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let pause = var("PCM_ROTATE_PAUSE").unwrap_or_else(|| "150-650".to_owned());
    let (least, most) = pause.split_once('-').unwrap();
    let pause: (u64, u64) = (least.parse().unwrap(), most.parse().unwrap());
    let kinds = var("PCM_ROTATE_KINDS").unwrap_or_default();
    let through = var("PCM_ROTATE_THROUGH").unwrap_or_else(|| "headless,view".to_owned());
    let wanted = |name: &str| kinds.is_empty() || kinds.split(',').any(|kind| kind == name);
    println!("{times} rotations of each kind, {} to {} ms apart, 2,000 lines/s", pause.0, pause.1);
    std::thread::scope(|scope| {
        for (name, kind) in KINDS.into_iter().filter(|(name, _)| wanted(name)) {
            for through in through.split(',') {
                scope.spawn(move || {
                    let counted = run(kind, through, times, pause);
                    println!("{name:<9} {through:<9} {counted}");
                });
            }
        }
    });
}

fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What those who write and rotate know of each other.
#[derive(Default)]
struct Shared {
    /// The writer opens its log again.
    reopen: AtomicUsize,
    written: AtomicUsize,
    rotated: AtomicBool,
}

fn run(kind: Kind, through: &str, times: usize, pause: (u64, u64)) -> String {
    let site = Site::new();
    let log = site.path("logs/PACMAN.LOG");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    File::create(&log).unwrap();
    let mut follower: Box<dyn Follows> = match through {
        "headless" => Box::new(Headless::start(&site, &log)),
        _ => Box::new(Viewed::start(&site, &log)),
    };
    let shared = Shared::default();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| write(&log, kind, &shared));
        follower.until(0, 0);
        let rotates = scope.spawn(|| rotate(&log, kind, times, pause, &shared));
        while !rotates.is_finished() {
            follower.take();
            std::thread::sleep(Duration::from_millis(20));
        }
        rotates.join().unwrap();
        // The writer has written to what has the name last.
        std::thread::sleep(Duration::from_secs(2));
        let last = shared.written.load(SeqCst) - 1;
        follower.until(last, times);
        follower.told()
    });
    counted(&told, shared.written.load(SeqCst))
}

/// 2,000 lines a second, however long a pause the system makes.
fn write(path: &Path, kind: Kind, shared: &Shared) {
    let open = || {
        let mut options = OpenOptions::new();
        if kind == Kind::Hole {
            options.write(true)
        } else {
            options.append(true)
        };
        options.create(true).open(path).unwrap()
    };
    let (mut file, mut seen, mut late) = (open(), 0, 0);
    let patience = if kind == Kind::Dated { 4 } else { 0 };
    let (began, mut next) = (Instant::now(), 0);
    let mut after = None::<Instant>;
    while after.is_none_or(|after| after.elapsed() < Duration::from_secs(1)) {
        let due = usize::try_from(began.elapsed().as_millis()).unwrap() * 2;
        // Who was kept waiting does not write seconds at once.
        for _ in 0..due.saturating_sub(next).min(40) {
            file.write_all(format!("{next:08}{WORDS}\n").as_bytes()).unwrap();
            next += 1;
        }
        shared.written.store(next, SeqCst);
        let wanted = shared.reopen.load(SeqCst);
        late = if wanted == seen { 0 } else { late + 1 };
        if late > patience {
            (file, seen, late) = (open(), wanted, 0);
        }
        if shared.rotated.load(SeqCst) && after.is_none() {
            after = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The writer ends once nobody rotates any more, whatever became of him.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn rotate(log: &Path, kind: Kind, times: usize, (least, most): (u64, u64), shared: &Shared) {
    let _ended = Ended(&shared.rotated);
    let beside = |name: String| log.with_file_name(name);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ kind as u64;
    for n in 0..times {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::thread::sleep(Duration::from_millis(least + state % (most - least + 1)));
        while !fs::metadata(log).is_ok_and(|meta| meta.len() > 0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        match kind {
            Kind::Numbered => {
                for n in (1..6).rev() {
                    let (from, to) = (format!("PACMAN.LOG.{n}"), format!("PACMAN.LOG.{}", n + 1));
                    let _ = fs::rename(beside(from), beside(to));
                }
                fs::rename(log, beside("PACMAN.LOG.1".into())).unwrap();
            }
            Kind::Dated => fs::rename(log, beside(format!("PACMAN-{n:06}.LOG"))).unwrap(),
            Kind::Copied | Kind::Hole => {
                fs::copy(log, beside("PACMAN.LOG.1".into())).unwrap();
                OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
            }
            Kind::Deleted => fs::remove_file(log).unwrap(),
        }
        if !matches!(kind, Kind::Copied | Kind::Hole) {
            shared.reopen.fetch_add(1, SeqCst);
        }
    }
}

/// Whoever follows the log.
trait Follows {
    /// Takes what was told so far, where that has to be fetched.
    fn take(&mut self);
    /// Waits until a line of this number or a later one was told. `times`: how often the log was rotated.
    fn until(&mut self, line: usize, times: usize);
    /// All that was told.
    fn told(&mut self) -> Vec<Told>;
}

/// `pcm log -f --json`.
struct Headless {
    child: Child,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Headless {
    fn start(site: &Site, log: &Path) -> Headless {
        let mut command = pcm(site, &["--json", "log", "-f", "-n", "0"]);
        command.arg(log).stdout(Stdio::piped()).stderr(Stdio::inherit()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (lines, told) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::default());
        let tells: Arc<Mutex<Vec<Told>>> = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let document: serde_json::Value = serde_json::from_str(&line).unwrap();
                let one = match document.get("gap").and_then(|gap| gap.as_str()) {
                    Some(gap) => mark(gap),
                    None => line_of(document["text"].as_str().unwrap_or_default()),
                };
                tells.lock().unwrap().push(one);
            }
        });
        // It begins at the end of what is there when it looks first.
        std::thread::sleep(Duration::from_millis(700));
        Headless { child, told }
    }
}

impl Follows for Headless {
    fn take(&mut self) {}

    fn until(&mut self, line: usize, _times: usize) {
        let began = Instant::now();
        while !has(&self.told.lock().unwrap(), line) {
            assert!(began.elapsed() < LIMIT, "line {line} was never told");
            std::thread::sleep(Duration::from_millis(10));
        }
        // What comes after it comes now.
        std::thread::sleep(Duration::from_secs(2));
    }

    fn told(&mut self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// View 3 in a terminal. Its pane is saved again and again; each save has to go on where the one before it ended.
struct Viewed {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
    folder: PathBuf,
    saves: usize,
    saved: Instant,
    told: Vec<Told>,
}

impl Viewed {
    fn start(site: &Site, log: &Path) -> Viewed {
        let config = fs::read_to_string(site.config()).unwrap();
        let files = format!("files = [\"{}\"]", log.display());
        let config = match config.find("[log]\n") {
            Some(_) => config.replacen("[log]\n", &format!("[log]\n{files}\n"), 1),
            None => format!("{config}\n[log]\n{files}\n"),
        };
        fs::write(site.config(), config).unwrap();
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let command = pcm(site, &[]);
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env("TERM", "xterm-256color");
        builder.env("LANG", "C.UTF-8");
        builder.env("TZ", "UTC");
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                builder.env(key, value);
            }
        }
        let child = pair.slave.spawn_command(builder).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let screen =
            Arc::new(Mutex::new(vt100::Parser::new(NonZero::new(24).unwrap(), NonZero::new(80).unwrap(), 0)));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                shown.lock().unwrap().process(&piece[..n]);
            }
        });
        let folder = site.path("saved");
        fs::create_dir_all(&folder).unwrap();
        let (saves, saved, told) = (0, Instant::now(), Vec::new());
        let mut this = Viewed { child, keys, screen, _master: pair.master, folder, saves, saved, told };
        this.shows("q quit");
        this.press("3");
        this.shows("nothing was written yet");
        this
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn shows(&self, wanted: &str) {
        let began = Instant::now();
        let screen = || self.screen.lock().unwrap().screen().contents();
        while !screen().contains(wanted) {
            assert!(began.elapsed() < LIMIT, "never on the screen: {wanted}\n{}", screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Saves what is in the pane, and takes what is new in it.
    fn save(&mut self) {
        self.saves += 1;
        self.saved = Instant::now();
        let path = self.folder.join(format!("{}.txt", self.saves));
        // A line that stands there for a moment before it is in the pane cannot be saved yet.
        let (began, mut pressed) = (Instant::now(), 0);
        let screen = Arc::clone(&self.screen);
        let asks = || screen.lock().unwrap().screen().contents().contains("SAVE log");
        while !asks() {
            assert!(began.elapsed() < LIMIT, "nothing could be saved");
            if began.elapsed() >= SAVED * pressed {
                self.press("S");
                pressed += 1;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.press(&format!("\u{15}{}", path.display()));
        self.shows(&format!("/{}.txt", self.saves));
        self.press("\r");
        let began = Instant::now();
        while !path.exists() {
            assert!(
                began.elapsed() < LIMIT,
                "never saved\n{}",
                self.screen.lock().unwrap().screen().contents()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let window: Vec<Told> = text.lines().filter_map(shown).collect();
        let Some(first) = window.first() else { return };
        let fits = |from: usize| self.told[from] == *first && window.starts_with(&self.told[from..]);
        let begins = (0..self.told.len()).rev().find(|from| fits(*from));
        let known = match begins {
            Some(from) => self.told.len() - from,
            None if self.told.is_empty() => 0,
            None => {
                self.told
                    .push(Told::Problem("what was saved does not go on where the last save ended".into()));
                0
            }
        };
        self.told.extend_from_slice(&window[known..]);
    }
}

impl Follows for Viewed {
    fn take(&mut self) {
        if self.saved.elapsed() >= SAVED {
            self.save();
        }
    }

    fn until(&mut self, line: usize, times: usize) {
        let began = Instant::now();
        // Nothing can be saved of a pane in which nothing is.
        self.shows(if times == 0 { "a line of a log" } else { "" });
        self.save();
        while !has(&self.told, line) {
            assert!(began.elapsed() < LIMIT, "line {line} was never told");
            self.save();
        }
        std::thread::sleep(Duration::from_secs(2));
        self.save();
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }
}

impl Drop for Viewed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pcm(site: &Site, args: &[&str]) -> Command {
    let command = site.command(args);
    let Some(other) = var("PCM_ROTATE_PCM") else { return command };
    let mut same = Command::new(other);
    same.args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => same.env(key, value),
            None => same.env_remove(key),
        };
    }
    same
}

fn has(told: &[Told], line: usize) -> bool {
    told.iter().rev().take(50_000).any(|told| matches!(told, Told::Line(n) if *n >= line))
}

fn mark(gap: &str) -> Told {
    match gap {
        gap if gap.contains("cut") => Told::Mark(gap.contains("copy") || gap.contains("copied")),
        gap => Told::Problem(gap.to_owned()),
    }
}

/// A line that was told, without the hole that may be before it.
fn line_of(text: &str) -> Told {
    let number = text.strip_suffix(WORDS).map(|number| number.trim_start_matches('\0'));
    let number = number.filter(|number| number.len() == 8).and_then(|number| number.parse().ok());
    number.map_or_else(|| Told::Torn(text.to_owned()), Told::Line)
}

/// One line of what view 3 saves: time, file, level and component stand before the text.
fn shown(line: &str) -> Option<Told> {
    let (_, text) = line.split_once(": ")?;
    if let Some(note) = text.strip_prefix("-- ") {
        return (!note.contains("was rotated")).then(|| mark(note));
    }
    Some(line_of(text))
}

fn counted(told: &[Told], written: usize) -> String {
    let (mut places, mut doubled) = (vec![None; written], 0);
    for (at, one) in told.iter().enumerate() {
        if let Told::Line(n) = one {
            doubled += usize::from(places[*n].replace(at).is_some());
        }
    }
    let is_mark = |at: &usize| matches!(told[*at], Told::Mark(_));
    let first = places.iter().position(Option::is_some).unwrap_or(written);
    // Which marks stand where something is missing.
    let mut reasons: HashMap<usize, usize> = HashMap::new();
    let (mut missing, mut gaps, mut unmarked, mut before, mut said) = (0, 0, 0, None, Vec::new());
    let mut n = first;
    while n < written {
        if let Some(at) = places[n] {
            before = Some(at);
            n += 1;
            continue;
        }
        let end = (n..written).find(|n| places[*n].is_some()).unwrap_or(written);
        let after = places.get(end).copied().flatten().unwrap_or(told.len());
        let from = before.unwrap_or(0);
        let marks: Vec<usize> = (from.min(after)..after.max(from)).filter(is_mark).collect();
        if marks.is_empty() {
            unmarked += 1;
            said.push(format!("    {} lines from {n} on have no mark", end - n));
        }
        marks.into_iter().for_each(|at| *reasons.entry(at).or_default() += 1);
        missing += end - n;
        gaps += 1;
        n = end;
    }
    let marks: Vec<usize> = (0..told.len()).filter(is_mark).collect();
    let copies = told.iter().filter(|one| **one == Told::Mark(true)).count();
    let idle = marks.iter().filter(|at| !reasons.contains_key(at));
    let (of_copies, others): (Vec<&usize>, Vec<&usize>) = idle.partition(|at| told[**at] == Told::Mark(true));
    let torn = told.iter().filter(|one| matches!(one, Told::Torn(_))).count();
    let problems: Vec<&String> =
        told.iter().filter_map(|one| if let Told::Problem(what) = one { Some(what) } else { None }).collect();
    let mut line = format!(
        "{} lines, {doubled} doubled; {missing} missing in {gaps} places, {unmarked} of them without a mark; {} marks, {copies} of them with a copy; without a reason {} with a copy and {} others; {torn} torn, {} problems",
        written - first,
        marks.len(),
        of_copies.len(),
        others.len(),
        problems.len(),
    );
    for one in said.into_iter().chain(problems.iter().map(|what| format!("    {what}"))).take(6) {
        line.push('\n');
        line.push_str(&one);
    }
    line
}
