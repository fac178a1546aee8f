//! What the console shows of documents, for tests of other rooms that have made them.

use super::fake::Fake;
use super::stage::Stage;
use crate::clock::{Wall, Zone};
use crate::console::app::{Event, words};
use crate::executor::talk::view::{ListDoc, RequestDoc, SimulateDoc, StatusDoc};
use crate::terms::{Group, State};

/// The console on these documents.
pub struct Shown {
    stage: Stage,
    overview: String,
    week: String,
}

impl Shown {
    /// Looks at the overview, and at the week.
    pub fn of(list: ListDoc, status: StatusDoc, week: SimulateDoc, zone: &Zone, now: Wall) -> Shown {
        let fake = Fake::new();
        *fake.list.lock().unwrap() = list;
        *fake.status.lock().unwrap() = status;
        *fake.week.lock().unwrap() = Some(week);
        // Each event is drawn: on little room, until there is something to be looked at.
        let mut stage = Stage::with(60, 16, fake, false);
        stage.app.options.zone = zone.clone();
        stage.now = now;
        stage.tick(0);
        stage.size = (200, 30);
        stage.event(Event::Resize(200, 30));
        let overview = stage.screen();
        // Where no pane stands beside the list, what is within a frame is the week's.
        stage.size = (100, 60);
        stage.event(Event::Resize(100, 60));
        let week = stage.keys("t").screen();
        Shown { stage, overview, week }
    }

    /// What is not shown of this request as it should be. `never`: as another view has it.
    pub fn differs(&self, row: &RequestDoc, until: Wall) -> Option<String> {
        let id = row.request_id?;
        let (now, zone) = (self.stage.now, &self.stage.app.options.zone);
        let pair = row.next_run.map(|at| words::when_pair(at, row.latest, now, zone));
        let row_of = |line: &&str| line.chars().skip(2).collect::<String>().starts_with(id.as_str());
        let listed = self.overview.lines().find(row_of).unwrap_or_default();
        // What is skipped has a list of its own.
        let is_listed = row.group != Group::Skipped;
        if let Some(pair) = pair.as_ref().filter(|pair| is_listed && !listed.contains(pair.as_str())) {
            return Some(format!("{id} in the list without {pair}: {listed}"));
        }
        let later = row.state == State::NotNeeded && row.next_run.is_some_and(|at| at < until);
        let to_come = row.group == Group::Pending || row.state == State::Countdown || later;
        let said = match (row.next_run.filter(|at| *at < until), row.never) {
            (Some(_), _) => pair.unwrap_or_default(),
            (None, true) => "never".to_owned(),
            (None, false) => String::new(),
        };
        let framed = format!("\u{2502} {id} ");
        let week = self.week.lines().find(|line| line.contains(&framed)).unwrap_or_default();
        let ends = week.split('\u{2502}').nth(1).unwrap_or_default().trim_end();
        let right = if row.group == Group::Running && row.state != State::Countdown {
            ends.ends_with(" now")
        } else if to_come {
            let words = ["later", "expires"];
            match said.as_str() {
                "" => words.iter().any(|word| ends.ends_with(&format!(" {word}"))),
                said => ends.ends_with(&format!(" {said}")),
            }
        } else {
            row.next_run.is_none() || row.state == State::NotNeeded
        };
        (!right).then(|| format!("{id} in the week without {said:?}: {week}"))
    }
}
