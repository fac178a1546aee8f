//! `pcm demo --headless`: the same demo without a terminal. Prints each change of state and each line of the log as it
//! happens, and the list at the end.

use crate::cli::App;
use crate::cli::view::{Selection, list};
use crate::clock::System;
use crate::error::Result;
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::view::{ListDoc, RequestDoc};
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often the list is asked for.
const STEP: Duration = Duration::from_millis(250);

/// Watches for so long, printing what happens.
pub fn watch(app: &App, client: &Client, span: Duration, mut alive: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    let mut states: BTreeMap<RequestId, State> = BTreeMap::new();
    let mut log = super::tail::Tail::new(client.layout().pacman_log(), app.zone.clone());
    let mut newest = None;
    while start.elapsed() < span {
        for text in log.lines() {
            say(app, start, "log", &text)?;
        }
        if let Ok(doc) = client.list() {
            for request in &doc.requests {
                let Some(id) = request.request_id else { continue };
                let before = states.insert(id, request.state);
                if before != Some(request.state) {
                    say(app, start, id.as_str(), &change(request, before))?;
                }
            }
            newest = Some(doc);
        }
        if !alive() {
            app.out.note("the demo's service has ended by itself");
            break;
        }
        std::thread::sleep(STEP);
    }
    if let Some(doc) = newest {
        end(app, &doc)?;
    }
    Ok(())
}

fn change(request: &RequestDoc, before: Option<State>) -> String {
    let arrow = before.map(|b| format!("{b} -> ")).unwrap_or_default();
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", request.why) };
    format!("{}: {arrow}{}{why}", request.package, request.state)
}

fn say(app: &App, start: Instant, what: &str, text: &str) -> Result<()> {
    if app.out.json {
        #[derive(serde::Serialize)]
        struct Line<'a> {
            time: crate::clock::Wall,
            what: &'a str,
            text: SafeText,
        }
        return app.out.object(&Line { time: System::now(), what, text: SafeText::new(text) });
    }
    app.out.say(&SafeText::new(&format!("{:>4}s  {what:<7}  {text}", start.elapsed().as_secs())))
}

fn end(app: &App, doc: &ListDoc) -> Result<()> {
    if app.out.json {
        return app.out.object(doc);
    }
    app.out.say(&SafeText::default())?;
    app.out.page(&list(doc, Selection::All, &app.look()))
}
