//! `pcm offers` and `pcm install`: what is offered to users, for whoever is logged on. The executor decides who may ask; what is
//! printed here is for people who know nothing of pcm.

use super::args::InstallArgs;
use super::{App, follow, view};
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::talk::protocol::{Action, Answer, View};
use crate::executor::talk::view::{OffersDoc, RunResultDoc};
use crate::terms::State;

/// `pcm install`
pub fn run(app: &App, args: &InstallArgs) -> Result<Exit> {
    let request = args.request;
    let client = app.client()?;
    // For what is not offered nobody waits: it is refused at once.
    let offered = |doc: &OffersDoc| doc.offers.iter().any(|offer| offer.request_id == request);
    if args.wait
        && !app.dry_run
        && matches!(client.view(&View::Offers), Ok(Answer::Offers(doc)) if offered(&doc))
    {
        follow::until_copied(app, &client, request)?;
    }
    let answer = client.change(&app.wish(Action::Install(request), None))?;
    let Answer::Run(begun) = answer else { return app.other(answer) };
    if !args.wait {
        return finish(app, &begun, false);
    }
    if begun.state == State::Queued {
        app.out.note(format!("{request} starts when what runs before it has ended, whether you wait or not"));
    }
    let refused = |failure: Failure| match failure.exit == Exit::Refused as u8 {
        // Who took it out of the queue, and why, is not said to users.
        true => Failure::new(
            Exit::Refused,
            &failure.code,
            format!("{request} will not be installed now: it was taken out of the queue"),
            "Whoever looks after this machine can say more",
        ),
        false => failure,
    };
    let ended = follow::until_ended(app, &client, &begun, false).map_err(refused)?;
    finish(app, &ended, true)
}

fn finish(app: &App, doc: &RunResultDoc, waited: bool) -> Result<Exit> {
    app.out.view(doc, || view::installing(doc, &app.look()))?;
    let failed = waited && !doc.state.is_success();
    Ok(if failed { Exit::PackageFailed } else { Exit::Done })
}
