//! The real binary in a real terminal: keys in, the screen that a terminal would show out.
#![allow(dead_code, clippy::unwrap_used)]

use super::common::wait_for_or;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A terminal with a program in it.
pub struct Terminal {
    pub child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts what `command` describes in a terminal of this size.
    pub fn start(command: &Command, cols: u16, rows: u16) -> Self {
        Self::start_as(command, cols, rows, "xterm-256color")
    }

    pub fn start_as(command: &Command, cols: u16, rows: u16, term: &str) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(key, value),
                None => builder.env_remove(key),
            }
        }
        builder.env("TERM", term);
        builder.env("LANG", "C.UTF-8");
        builder.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(builder).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(cells(rows), cells(cols), 0),
            bytes: Vec::new(),
        }));
        let into = seen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut seen = into.lock().unwrap();
                seen.screen.process(&buffer[..n]);
                seen.bytes.extend(&buffer[..n]);
            }
        });
        Self { child, master: Some(pair.master), writer: Some(writer), seen }
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

    /// Every byte the program has written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// Whether the terminal is in its alternate screen.
    pub fn alternate(&self) -> bool {
        self.seen.lock().unwrap().screen.screen().alternate_screen()
    }

    /// Waits until this stands on the screen.
    pub fn wait(&self, wanted: &str) {
        self.wait_until(wanted, |screen| screen.contains(wanted));
    }

    /// Waits until the screen is so.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        wait_for_or(Duration::from_secs(30), || condition(&self.screen()))
            .unwrap_or_else(|()| panic!("never on the screen: {what}\n{}", self.screen()));
    }

    /// Waits for the program's end; its exit status.
    pub fn wait_exit(&mut self) -> u32 {
        let mut status = None;
        let child = &mut self.child;
        wait_for_or(Duration::from_secs(10), || {
            status = child.try_wait().unwrap();
            status.is_some()
        })
        .unwrap_or_else(|()| panic!("the program does not end"));
        status.unwrap().exit_code()
    }

    /// Gives the terminal another size.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.seen.lock().unwrap().screen.screen_mut().set_size(cells(rows), cells(cols));
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// The line drops: the terminal is gone, the program gets SIGHUP.
    pub fn hang_up(&mut self) {
        self.writer = None;
        self.master = None;
    }
}

fn cells(n: u16) -> std::num::NonZero<u16> {
    n.try_into().unwrap()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
