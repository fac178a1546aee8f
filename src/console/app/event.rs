//! What reaches the app and what it wants done: events in, effects out. Everything else in `app` is pure between them.

use super::afar::{Order, Step};
use super::layout::Layout;
use super::logline::LogLine;
use super::rollout::wire::{News, Wish};
use super::whole;
use crate::clock::Wall;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::error::Failure;
use crate::executor::ask::Question;
use crate::executor::talk::protocol::Answer;
use crate::log::batch::Batch;
use crate::site::ids::{MachineId, RequestId};
use crate::text::SafeText;
use std::sync::Arc;
use std::time::Duration;

/// How long after the start of the console something happened, by a clock that only goes forward.
pub type Moment = Duration;

/// A fact.
#[derive(Debug, Clone)]
pub enum Event {
    /// A key went down.
    Key(Key, Moment),
    /// Text was pasted; it counts only where text is typed.
    Paste(SafeText),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// It is this late now; about once a second.
    Tick(Wall),
    /// The executor answered an [`Effect::Ask`].
    Answered {
        /// The one that was given with the question.
        id: u64,
        /// The document, or why there is none.
        answer: Result<Answer, Failure>,
    },
    /// New log lines, oldest first.
    Log(Vec<LogLine>),
    /// The newest lines as they stand, which come soon for good: in the place of those that stood there before.
    Standing(Vec<LogLine>),
    /// New records as they were read, oldest first.
    Rush(Vec<Arc<Batch>>),
    /// Log lines older than those that came, oldest first; the answer to [`Effect::Older`].
    Older {
        /// What was read.
        lines: Vec<LogLine>,
        /// Whether there are still older ones, and whether they come when they are wanted.
        more: Option<bool>,
    },
    /// Something of a log file that is read as a whole; the answers to [`Effect::Whole`].
    Whole(whole::News),
    /// The newest lines of the transcript that is followed.
    Transcript {
        /// Of which request.
        request: RequestId,
        /// Of which attempt.
        attempt: u32,
        /// Its last lines, oldest first.
        lines: Vec<SafeText>,
        /// The number of the first of them, counted from where its reading began.
        first: usize,
        /// Lines before those were left out.
        cut: bool,
        /// Why it cannot be read.
        fault: Option<SafeText>,
    },
    /// Something was counted for view 5, or could not be.
    Rollout(News),
    /// How far an [`Effect::Afar`] is on one machine.
    Afar {
        /// The number of the order.
        order: u64,
        /// Which machine.
        machine: MachineId,
        /// How far.
        step: Step,
    },
    /// A driver has something to say about what it was told to do.
    Said {
        /// What.
        text: SafeText,
        /// It did not work.
        error: bool,
    },
    /// What became of an [`Effect::Save`] or an [`Effect::Evidence`].
    Saved {
        /// Its path, as it was typed.
        path: String,
        /// What is to be said of it.
        said: SafeText,
        /// Nothing was written.
        error: bool,
    },
    /// The left button of the mouse went down here.
    Click {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
        /// When.
        at: Moment,
    },
    /// The mouse's wheel turned here.
    Wheel {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
        /// Towards the operator.
        down: bool,
    },
    /// A frame was drawn, and had room for this.
    Drawn(Layout),
}

/// An intention that drivers carry out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the executor; answered by [`Event::Answered`] with this id.
    Ask {
        /// Unlike all others.
        id: u64,
        /// What.
        question: Question,
        /// What is being done, for whoever waits for it.
        label: SafeText,
    },
    /// Follow the transcript of an attempt from now on, or none.
    Transcript(Option<(RequestId, u32)>),
    /// Read log lines older than those that came; answered by [`Event::Older`].
    Older,
    /// Read this of a whole log file; answered by [`Event::Whole`].
    Whole(whole::Ask),
    /// Count this for view 5 from now on; answered by [`Event::Rollout`].
    Rollout(Wish),
    /// Give the terminal to this verb of pcm on the site folder until it has ended; answered by [`Event::Said`].
    Verb(Vec<String>),
    /// Have machines of the site do this, each through `ssh`; answered by [`Event::Afar`] for each.
    Afar(Order),
    /// Take back what of the order of this number has not begun.
    TakeBack(u64),
    /// Give the terminal to the console of this machine of the site; answered by [`Event::Said`].
    Visit(MachineId),
    /// Give the terminal to the merged log of these machines of the site, those that have a host name; answered by
    /// [`Event::Said`].
    Logs(Vec<(MachineId, Option<SafeText>)>),
    /// Write these lines to a new file; answered by [`Event::Saved`]. Never over one that exists.
    Save {
        /// As it was typed.
        path: String,
        /// What.
        lines: Vec<SafeText>,
    },
    /// Have `pcm evidence` make a new file of everything about a request; answered by [`Event::Saved`].
    Evidence {
        /// As it was typed.
        path: String,
        /// Which request.
        request: RequestId,
    },
    /// Give these lines to the terminal's clipboard (OSC 52); the app has seen to their length.
    Copy(Vec<SafeText>),
    /// Leave the screen and print these lines, until a key is pressed.
    Plain(Vec<SafeText>),
    /// Have the terminal report click and wheel, or leave the mouse to it.
    Mouse(bool),
    /// Do with the display of traces what this command says; it is the terminal's side that has it.
    Traces(Id),
    /// Let go of a document that is out of date. The memory of tens of thousands of rows is given back beside the loop
    /// that keys wait for.
    Discard(Box<Answer>),
    /// Draw everything anew, whatever is believed to be there.
    Redraw,
    /// Give the terminal back until the process is continued.
    Suspend,
    /// End the console.
    Quit,
}
