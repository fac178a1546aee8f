//! What was said at the foot of the screen, and when it ends: with the next key, after a while, or as soon as what it
//! speaks of has become something else.

use super::data::Data;
use super::state::App;
use crate::clock::Wall;
use crate::executor::talk::protocol::Answer;
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;

/// Something to be said once.
#[derive(Debug, Clone)]
pub struct Message {
    /// What.
    pub text: SafeText,
    /// It did not work.
    pub error: bool,
    /// When it was said.
    pub at: Option<Wall>,
    of: Option<Spoken>,
}

/// What a message speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// This request.
    Request(RequestId),
    /// The hold.
    Hold,
}

/// How that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// The state of the request, if it is listed.
    Request(Option<State>),
    /// Until when the hold is in force.
    Hold(Option<Wall>),
}

impl About {
    fn stands(self, data: &Data) -> Stand {
        match self {
            About::Request(id) => Stand::Request(data.request(id).map(|row| row.state)),
            About::Hold => Stand::Hold(data.held_until()),
        }
    }

    /// What the answer to a change speaks of, and how it says that this stands.
    pub fn of(answer: &Answer) -> Option<(About, Stand)> {
        Some(match answer {
            Answer::Run(run) => (About::Request(run.request_id), Stand::Request(Some(run.state))),
            Answer::Changed(changed) => {
                (About::Request(changed.request_id), Stand::Request(Some(changed.state)))
            }
            Answer::Hold(hold) => (About::Hold, Stand::Hold(hold.held_until)),
            _ => return None,
        })
    }
}

/// How what is spoken of was last seen, and how the message says that it is, where the screen does not show that yet.
#[derive(Debug, Clone, Copy)]
struct Spoken {
    about: About,
    seen: Stand,
    says: Option<Stand>,
}

impl App {
    /// Says what is wrong with how the console was started.
    pub fn warn(&mut self, text: SafeText) {
        self.say(text, true);
    }

    pub(super) fn say(&mut self, text: impl Into<SafeText>, error: bool) {
        self.message = Some(Message { text: text.into(), error, at: self.now, of: None });
    }

    /// The same of something that may become something else.
    pub(super) fn say_of(
        &mut self,
        text: impl Into<SafeText>,
        error: bool,
        about: About,
        says: Option<Stand>,
    ) {
        let of = Some(Spoken { about, seen: about.stands(&self.data), says });
        self.message = Some(Message { text: text.into(), error, at: self.now, of });
    }

    /// Ends a message whose subject has become something else.
    pub(super) fn end_message(&mut self) {
        let Some(spoken) = self.message.as_mut().and_then(|message| message.of.as_mut()) else { return };
        let stands = spoken.about.stands(&self.data);
        if spoken.says == Some(stands) {
            spoken.seen = stands;
        } else if spoken.seen != stands {
            self.message = None;
        }
    }
}
