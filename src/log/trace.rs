//! pcm's own diagnostics (`tracing`): on standard error where `RUST_LOG` asks for them, and what goes wrong beside a
//! service's loop into its log. The console collects its own for its diagnostics view.

use super::Level;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// The same words are logged this often at most: some faults last, and anybody may cause some of them.
const AGAIN: Duration = Duration::from_secs(60);
/// So many different ones are remembered.
const REMEMBERED: usize = 100;

/// Where warnings and errors go.
pub type Warned = Box<dyn Fn(Level, &SafeText) + Send + Sync>;

/// Begins to collect, unless somebody does already. Warnings and errors go to `log` too, where there is one.
pub fn start(log: Option<Warned>) {
    let wanted = std::env::var_os(EnvFilter::DEFAULT_ENV).is_some_and(|wanted| !wanted.is_empty());
    if !wanted && log.is_none() {
        return;
    }
    let shown = wanted.then(|| match EnvFilter::try_from_default_env() {
        Ok(filter) => on_stderr().with_filter(filter),
        Err(e) => {
            // Standard error may be gone, which is no reason not to go on.
            let _ = writeln!(io::stderr(), "pcm: {}", SafeText::new(&format!("RUST_LOG: {e}")));
            on_stderr().with_filter(EnvFilter::new("warn"))
        }
    });
    let logged = log.map(ToLog::of);
    let _ = tracing_subscriber::registry().with(shown).with(logged).try_init();
}

fn on_stderr<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    fmt::layer().with_ansi(false).with_writer(|| Safe(io::stderr()))
}

/// Each event is one line of safe text, whatever is in it.
struct Safe<W>(W);

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        writeln!(self.0, "{}", SafeText::from_bytes(event.trim_ascii_end()))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Hands warnings and errors of pcm itself to a log.
struct ToLog<F> {
    log: F,
    said: Mutex<BTreeMap<String, Instant>>,
}

impl<F> ToLog<F> {
    fn of(log: F) -> Self {
        Self { log, said: Mutex::default() }
    }

    fn is_news(&self, words: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(words).is_some_and(|at| at.elapsed() < AGAIN) {
            return false;
        }
        if said.len() >= REMEMBERED {
            said.clear();
        }
        said.insert(words.to_owned(), Instant::now());
        true
    }
}

impl<S: Subscriber, F: Fn(Level, &SafeText) + Send + Sync + 'static> Layer<S> for ToLog<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            _ => return,
        };
        let target = event.metadata().target();
        if target != "pcm" && !target.starts_with("pcm::") {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        if self.is_news(&words.0) {
            (self.log)(level, &SafeText::new(&words.0));
        }
    }
}

/// The message, then the other fields by their names.
#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => {
                let rest = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{rest}")
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn warnings_reach_the_log_as_safe_text_and_what_repeats_does_so_once() {
        let (tell, told) = mpsc::channel();
        let log = ToLog::of(move |level, text: &SafeText| tell.send((level, text.to_string())).unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
            for _ in 0..3 {
                tracing::warn!(who = "\u{1b}[2J\nola", "accept: {}", "too many open files");
            }
            tracing::error!("gone");
            tracing::info!("as it should be");
            tracing::warn!(target: "zbus", "somebody else's");
        });
        let all: Vec<_> = told.iter().collect();
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0].0, Level::Warning);
        assert!(all[0].1.starts_with("accept: too many open files who="), "{all:?}");
        assert_eq!(all[1], (Level::Error, "gone".to_owned()));
        assert!(!all[0].1.contains(['\u{1b}', '\n']), "{all:?}");
    }

    #[test]
    fn nothing_unescaped_reaches_a_terminal() {
        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = fmt::layer().with_ansi(false).with_writer(move || Safe(writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(name = %"a\u{1b}]0;x\u{7}\u{202e}b\nforged row", "claim");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.contains("claim") && text.contains("forged row"), "{text:?}");
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }
}
