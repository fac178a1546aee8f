//! The verbs that ask the executor to do something: run, rerun, defer, undefer, stop, hold, unhold, poll. They ask, wait
//! where that was wanted, and print the answer; whether it is allowed is decided by the core alone.

use super::args::{DeferArgs, HoldArgs, RerunArgs, RunArgs, StopArgs, UntilArgs, WaitArgs};
use super::{App, follow, view};
use crate::clock::Wall;
use crate::decision::{Replace, Verb};
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::talk::protocol::{Action, Answer};
use crate::executor::talk::view::RunResultDoc;
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::{SafeText, Side, parse_time};

/// `pcm run`
pub fn run(app: &App, args: RunArgs) -> Result<Exit> {
    let reason = args.reason.as_deref().map(SafeText::new);
    start(
        app,
        args.request,
        Verb::Run { overrides: args.overrides, no_queue: args.wait.no_queue },
        reason,
        args.wait,
    )
}

/// `pcm rerun`
pub fn rerun(app: &App, args: RerunArgs) -> Result<Exit> {
    let reason = Some(SafeText::new(&args.reason));
    start(
        app,
        args.request,
        Verb::Rerun { overrides: args.overrides, no_queue: args.wait.no_queue },
        reason,
        args.wait,
    )
}

fn start(
    app: &App,
    request: RequestId,
    verb: Verb,
    reason: Option<SafeText>,
    wait: WaitArgs,
) -> Result<Exit> {
    if wait.follow && app.out.json {
        let why = "--follow prints the package's output, which is no JSON document";
        return Err(Failure::new(
            Exit::Usage,
            "usage",
            why,
            "Use --wait with --json, or --follow without it",
        ));
    }
    let client = app.client()?;
    if (wait.wait || wait.follow) && !app.dry_run {
        follow::until_copied(app, &client, request)?;
    }
    let answer = client.change(&app.wish(Action::Request(request, verb), reason))?;
    let Answer::Run(launched) = answer else { return app.other(answer) };
    if !wait.wait && !wait.follow {
        return finish(app, &launched, false);
    }
    if let Some(position) = launched.queue_position {
        app.out.note(format!(
            "{request} is queued, position {position}, whether you wait or not. pcm stop {request} --reason WHY takes it out"
        ));
    }
    if wait.follow {
        app.out.say(&SafeText::new(&format!(
            "{request} attempt {} {}; its output has a {} before each line:",
            launched.attempt,
            if launched.state == State::Queued { "is queued" } else { "runs" },
            follow::MARK.trim()
        )))?;
    }
    let ended = follow::until_ended(app, &client, &launched, wait.follow)?;
    finish(app, &ended, true)
}

fn finish(app: &App, doc: &RunResultDoc, waited: bool) -> Result<Exit> {
    app.out.view(doc, || view::run_result(doc, &app.look()))?;
    let failed = waited && !doc.state.is_success();
    Ok(if failed { Exit::PackageFailed } else { Exit::Done })
}

/// `pcm defer`
pub fn defer(app: &App, args: DeferArgs) -> Result<Exit> {
    let verb = Verb::Defer { until: until(app, &args.until)? };
    app.change(Action::Request(args.request, verb), Some(&args.reason))
}

/// `pcm stop`
pub fn stop(app: &App, args: StopArgs) -> Result<Exit> {
    app.change(Action::Request(args.request, Verb::Stop), Some(&args.reason))
}

/// `pcm hold`
pub fn hold(app: &App, args: HoldArgs) -> Result<Exit> {
    let replace = match &args.replace {
        None => Replace::Nothing,
        Some(None) => Replace::Any,
        Some(Some(id)) => Replace::This(SafeText::new(id)),
    };
    let hold = Action::Hold { until: until(app, &args.until)?, replace };
    app.change(hold, Some(&args.reason))
}

/// The instant that `--until` or `--for` means; never one that has passed.
pub fn until(app: &App, args: &UntilArgs) -> Result<Wall> {
    let refuse = |why: String| Failure::new(Exit::Usage, "usage", why, "Name a time to come");
    if let Some(span) = args.span {
        let span = chrono::Duration::from_std(span).map_err(|e| refuse(e.to_string()))?;
        return Ok(app.now + span);
    }
    let text = args.until.as_deref().unwrap_or_default();
    let at =
        parse_time(text, Side::Next, app.now, &app.zone).map_err(|why| refuse(format!("--until: {why}")))?;
    if at <= app.now {
        return Err(refuse(format!("--until: {text:?} has passed: it is {}", app.look().stamp(app.now))));
    }
    Ok(at)
}
