//! The real binary in a real terminal: keys in, the screen that a terminal would show out.

use super::wait_for_or;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For so long nothing changes on the screen of somebody who reads a question: longer than until a `y` counts.
const READ: Duration = Duration::from_millis(400);

/// A terminal with a program in it.
pub struct Terminal {
    pub child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    seen: Arc<Mutex<Seen>>,
    held: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    pub started: Instant,
}

/// What kind of terminal.
#[derive(Clone)]
pub struct Kind {
    pub cols: u16,
    pub rows: u16,
    pub term: &'static str,
    /// Bits a second that the line is set up for, as `stty` shows it.
    pub baud: Option<u32>,
    /// Bytes a second that the line carries; without: all that come.
    pub rate: Option<u32>,
    /// Further environment.
    pub env: Vec<(&'static str, &'static str)>,
    /// Its size is unknown to the system, as on a serial line.
    pub sizeless: bool,
}

impl Kind {
    pub fn new(cols: u16, rows: u16) -> Self {
        Self { cols, rows, term: "xterm-256color", baud: None, rate: None, env: Vec::new(), sizeless: false }
    }
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    /// When how many bytes had come.
    marks: Vec<(Instant, usize)>,
    ended: bool,
}

impl Terminal {
    /// Starts what `command` describes in a terminal of this size.
    pub fn start(command: &Command, cols: u16, rows: u16) -> Self {
        Self::start_in(command, &Kind::new(cols, rows))
    }

    pub fn start_as(command: &Command, cols: u16, rows: u16, term: &'static str) -> Self {
        Self::start_in(command, &Kind { term, ..Kind::new(cols, rows) })
    }

    pub fn start_in(command: &Command, kind: &Kind) -> Self {
        let (cols, rows) = if kind.sizeless { (0, 0) } else { (kind.cols, kind.rows) };
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        if let (Some(baud), Some(name)) = (kind.baud, device(&*pair.master)) {
            set_speed(&name, baud);
        }
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        if let Some(dir) = command.get_current_dir() {
            builder.cwd(dir);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(key, value),
                None => builder.env_remove(key),
            }
        }
        builder.env("TERM", kind.term);
        builder.env("LANG", "C.UTF-8");
        for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "LINES", "COLUMNS", "TMUX"] {
            builder.env_remove(name);
        }
        for (name, value) in &kind.env {
            builder.env(name, value);
        }
        let started = Instant::now();
        let child = pair.slave.spawn_command(builder).unwrap();
        drop(pair.slave);
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(cells(kind.rows), cells(kind.cols), 0),
            bytes: Vec::new(),
            marks: Vec::new(),
            ended: false,
        }));
        let held = Arc::new(AtomicBool::new(false));
        let closing = Arc::new(AtomicBool::new(false));
        let line = Line { held: held.clone(), closing: closing.clone(), rate: kind.rate };
        let into = seen.clone();
        std::thread::spawn(move || line.carry(reader, &into));
        Self { child, master: Some(pair.master), writer: Some(writer), seen, held, closing, started }
    }

    /// Types this.
    pub fn keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// The same, row by row.
    pub fn rows(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let screen = seen.screen.screen();
        screen.rows(0, screen.size().1.get()).collect()
    }

    /// Every byte the program has written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// How many these are.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().bytes.len()
    }

    /// When the byte of this number came, counted from the start.
    pub fn came(&self, number: usize) -> Option<Duration> {
        self.came_at(number).map(|at| at.duration_since(self.started))
    }

    /// The same as an instant.
    pub fn came_at(&self, number: usize) -> Option<Instant> {
        let seen = self.seen.lock().unwrap();
        let at = seen.marks.partition_point(|(_, count)| *count < number);
        seen.marks.get(at).map(|(at, _)| *at)
    }

    /// Whether the terminal is in its alternate screen.
    pub fn alternate(&self) -> bool {
        self.seen.lock().unwrap().screen.screen().alternate_screen()
    }

    /// Whether its cursor shows.
    pub fn cursor(&self) -> bool {
        !self.seen.lock().unwrap().screen.screen().hide_cursor()
    }

    /// Whether pastes are bracketed.
    pub fn brackets(&self) -> bool {
        self.seen.lock().unwrap().screen.screen().bracketed_paste()
    }

    /// Waits until this stands on the screen.
    pub fn wait(&self, wanted: &str) {
        self.wait_until(wanted, |screen| screen.contains(wanted));
    }

    /// Waits until the screen is so.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        wait_for_or(Duration::from_secs(60), || condition(&self.screen()))
            .unwrap_or_else(|()| panic!("never on the screen: {what}\n{}", self.screen()));
    }

    /// Confirms the question that is open: `y` counts once the executor has said what the action would do, and the question
    /// can have been read. One that does not count has to be read about as well.
    pub fn confirm(&mut self) {
        self.wait("carries it out");
        wait_for_or(Duration::from_secs(60), || {
            self.wait_quiet(READ);
            if self.screen().contains("carries it out") {
                self.keys("y");
                self.wait_quiet(READ);
            }
            !self.screen().contains("carries it out")
        })
        .unwrap_or_else(|()| panic!("the question stays:\n{}", self.screen()));
    }

    /// Waits until nothing has come for so long; how many bytes there are then.
    pub fn wait_quiet(&self, quiet: Duration) -> usize {
        let (mut last, mut since) = (self.count(), Instant::now());
        wait_for_or(Duration::from_secs(60), || {
            let now = self.count();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            since.elapsed() >= quiet
        })
        .unwrap_or_else(|()| {
            let bytes = self.bytes();
            panic!("never quiet for {quiet:?}: {:?}", String::from_utf8_lossy(&bytes[bytes.len() - 300..]))
        });
        last
    }

    /// Waits for the program's end; its exit status.
    pub fn wait_exit(&mut self) -> u32 {
        let mut status = None;
        let child = &mut self.child;
        wait_for_or(Duration::from_secs(30), || {
            status = child.try_wait().unwrap();
            status.is_some()
        })
        .unwrap_or_else(|()| panic!("the program does not end"));
        status.unwrap().exit_code()
    }

    /// Presses `q` or Ctrl-C until the program has ended; its exit status. Once may not be enough where an Esc was pressed
    /// right before: what comes without a pause is Alt-q, and what is still open is only closed by the next.
    pub fn quit(&mut self, key: char) -> u32 {
        let key = [u8::try_from(key).unwrap()];
        let (writer, child) = (self.writer.as_mut().unwrap(), &mut self.child);
        wait_for_or(Duration::from_secs(60), || {
            // Nobody may be left to read it.
            let _ = writer.write_all(&key).and_then(|()| writer.flush());
            child.try_wait().unwrap().is_some()
        })
        .unwrap_or_else(|()| panic!("the program does not end"));
        self.wait_exit()
    }

    /// Waits until every byte that the program wrote before its end has come.
    pub fn wait_end(&self) {
        wait_for_or(Duration::from_secs(30), || self.seen.lock().unwrap().ended).unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.seen.lock().unwrap().screen.screen_mut().set_size(cells(rows), cells(cols));
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// The line drops: nobody has the other side of the terminal any more, and the system says so to the program.
    /// `stir`: a key that makes it write, since the other side is let go of after the next byte.
    pub fn hang_up(&mut self, stir: &str) {
        self.closing.store(true, Ordering::SeqCst);
        self.keys(stir);
        self.wait_end();
        self.writer = None;
        self.master = None;
    }

    /// The line takes no more bytes, or takes them again.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// The device, as programs in the terminal see it.
    pub fn device(&self) -> Option<PathBuf> {
        self.master.as_deref().and_then(device)
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

/// What is between the program and the screen.
struct Line {
    held: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    rate: Option<u32>,
}

impl Line {
    /// Takes what the program writes, as fast as the line is.
    fn carry(&self, mut reader: Box<dyn Read + Send>, into: &Mutex<Seen>) {
        let mut buffer = [0; 8192];
        let step = self.rate.map_or(buffer.len(), |rate| (rate / 50).max(1) as usize);
        let mut free = Instant::now();
        while let Ok(n @ 1..) = reader.read(&mut buffer[..step]) {
            // This is the line itself: the time that its bytes take.
            if let Some(rate) = self.rate {
                free = free.max(Instant::now()) + Duration::from_secs_f64(n as f64 / f64::from(rate));
                std::thread::sleep(free.saturating_duration_since(Instant::now()));
            }
            let at = Instant::now();
            {
                let mut seen = into.lock().unwrap();
                seen.screen.process(&buffer[..n]);
                seen.bytes.extend(&buffer[..n]);
                let count = seen.bytes.len();
                seen.marks.push((at, count));
            }
            while self.held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if self.closing.load(Ordering::SeqCst) {
                break;
            }
        }
        drop(reader);
        into.lock().unwrap().ended = true;
    }
}

#[cfg(unix)]
fn device(master: &(dyn MasterPty + Send + 'static)) -> Option<PathBuf> {
    master.tty_name()
}

#[cfg(not(unix))]
fn device(_master: &(dyn MasterPty + Send + 'static)) -> Option<PathBuf> {
    None
}

#[cfg(unix)]
fn set_speed(device: &std::path::Path, baud: u32) {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    let device = std::fs::OpenOptions::new().read(true).write(true).open(device).unwrap();
    let mut settings = tcgetattr(&device).unwrap();
    settings.set_speed(baud).unwrap();
    tcsetattr(&device, OptionalActions::Now, &settings).unwrap();
}

#[cfg(not(unix))]
fn set_speed(_device: &std::path::Path, _baud: u32) {}

fn cells(n: u16) -> std::num::NonZero<u16> {
    n.try_into().unwrap()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.held.store(false, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
