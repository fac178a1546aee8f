//! Content is verified beside the loop: while a worker hashes for as long as it likes, views are answered and time goes on,
//! and what it found counts for the one launch it was asked for.

use super::site::{self, Mood, Plan};
use super::world::{Shared, World};
use super::{Random, make_past};
use crate::clock::Monotonic;
use crate::config::Config;
use crate::decision::{Power, Replace, Verb};
use crate::executor::engine::Executor;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::talk::protocol::{Action, Answer, Call, CallId, Change, Reply, View, Wanted};
use crate::host::account::Actor;
use crate::host::paths::Layout;
use crate::service::server::Asked;
use crate::service::steps::Steps;
use crate::service::worker::Carrier;
use crate::site::content::{ContentFact, Seal};
use crate::site::ids::RequestId;
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::parse;
use crate::terms::Platform;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

const ID: &str = "BP00001";

pub(super) fn id() -> RequestId {
    ID.parse().unwrap()
}

/// One request with files that is due since an hour; nothing is in its way.
fn plan() -> Plan {
    plan_of(-1)
}

/// The same that is due in so many hours.
pub(super) fn plan_of(due: i64) -> Plan {
    let plan = site::plan(&mut Random::new(1));
    let hash = ContentHash::try_from("ab".repeat(32)).unwrap();
    let config = Config {
        machine: Some(site::machine()),
        shares: plan.config.shares.clone(),
        trust: plan.config.trust.clone(),
        ..Config::default()
    };
    let time = |hours| (plan.from + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let text = format!(
        "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = 7\nissued = {}\n\n[[request]]\n\
         request_id = \"{ID}\"\njob_id = \"BP0000AA\"\npackage_id = \"BP00000A\"\npackage = \"Acme\"\n\
         command = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\nbackground = true\n\
         offer_after = {}\nmandatory_after = {}\nmax_run_time = \"30m\"\ncontent_sha256 = \"{}\"\n\n\
         [end]\nserial = 7\n",
        time(-9),
        time(-5),
        time(due),
        hash.as_str()
    );
    Plan {
        needs: [].into(),
        installed: [].into(),
        file: parse(text.as_bytes(), site::machine(), "test", &config.request_defaults()).unwrap(),
        config,
        site_file: "format = 1\nsite = \"BP0\"\nname = \"Test\"\n".into(),
        mood: Mood::Well,
        held: None,
        contents: [(hash, ContentFact::Staged)].into(),
        users: Some(Vec::new()),
        power: Power::Mains,
        up: Duration::from_secs(900_000),
        disk_free: Some(1 << 40),
        platform: Some(Platform::LinuxX86_64),
        attempts: Vec::new(),
        deferrals: Vec::new(),
        hold: None,
        adopted: Vec::new(),
        lost: false,
        ..plan
    }
}

/// A worker that has a job for as long as the test likes.
#[derive(Clone, Default)]
struct Slow(Rc<RefCell<Vec<ShareJob>>>);

impl Carrier for Slow {
    fn give(&self, job: ShareJob, _: Duration) -> bool {
        self.0.borrow_mut().push(job);
        true
    }
}

pub(super) struct Stage<'a> {
    pub world: Arc<World>,
    /// What its file says.
    pub config: Rc<RefCell<Config>>,
    steps: Steps<'a>,
    slow: Slow,
}

/// Runs a scene on a service that has looked at its share.
fn on_stage(act: impl FnOnce(&mut Stage)) {
    on_stage_of(plan(), |shared| Box::new(shared), act);
}

/// The same in this world, by this way to look at its share.
pub(super) fn on_stage_of(
    plan: Plan,
    looks: impl FnOnce(Shared) -> Box<dyn Carrier>,
    act: impl FnOnce(&mut Stage),
) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout {
        config: folder.path().join("etc/pcm.toml"),
        state: folder.path().join("state"),
        log: folder.path().join("log"),
        socket: folder.path().join("sock"),
    };
    make_past(&plan, &layout);
    let config = Rc::new(RefCell::new(plan.config.clone()));
    let file = Rc::clone(&config);
    let read_config = move || Ok(file.borrow().clone());
    let world = Arc::new(World::new(plan, layout));
    let shared = Shared(Arc::clone(&world));
    let executor = Executor::of(Arc::new(shared.clone()), &world.layout, &world.plan.config, true).unwrap();
    let slow = Slow::default();
    let share = || -> Box<dyn Carrier> { Box::new(shared.clone()) };
    let carriers: [Box<dyn Carrier>; 5] =
        [looks(shared.clone()), share(), share(), Box::new(slow.clone()), share()];
    let steps = Steps::new(executor, &read_config, carriers);
    let mut stage = Stage { world, config, steps, slow };
    for _ in 0..5 {
        stage.step();
    }
    act(&mut stage);
}

impl Stage<'_> {
    /// One step, and what the other workers have to say.
    pub fn step(&mut self) {
        self.steps.step();
        loop {
            let Some(news) = self.world.lock().news.pop_front() else { return };
            self.steps.hear(news);
        }
    }

    /// Time passes as the service sleeps.
    pub fn pass(&mut self, minutes: u64) {
        for _ in 0..minutes * 2 {
            self.world.lock().advance(Duration::from_secs(30));
            self.step();
        }
    }

    pub fn asked(&self) -> usize {
        self.slow.0.borrow().len()
    }

    pub fn launches(&self) -> usize {
        self.world.lock().launches.len()
    }

    /// The oldest job has this outcome.
    pub fn answer(&mut self, sealed: Result<&str, &str>) {
        let job = self.slow.0.borrow_mut().remove(0);
        let sealed = sealed.map(|seal| Seal(seal.into())).map_err(SafeText::new);
        self.steps.hear((job, Ok(ShareNews::Verified(sealed))));
        self.step();
    }

    pub fn ask(&mut self, call: Call) -> oneshot::Receiver<Reply> {
        self.ask_until(call, None)
    }

    fn ask_until(&mut self, call: Call, until: Option<Monotonic>) -> oneshot::Receiver<Reply> {
        self.ask_as(true, call, until)
    }

    fn ask_as(
        &mut self,
        may_operate: bool,
        call: Call,
        until: Option<Monotonic>,
    ) -> oneshot::Receiver<Reply> {
        let actor = Actor {
            name: "ola".into(),
            uid: Some(0),
            login_uid: None,
            terminal: None,
            from: None,
            may_operate,
        };
        let (answer, answered) = oneshot::channel();
        self.steps.answer(Asked { call, machine: None, actor, until, answer });
        answered
    }

    fn change(&mut self, what: Action) -> oneshot::Receiver<Reply> {
        self.ask(Call::Change(Change { what, reason: Some("test".into()), dry_run: false, id: None }))
    }

    fn answers_views(&mut self) {
        let list = self.ask(Call::View(View::List)).try_recv();
        assert!(matches!(list, Ok(Ok(Answer::List(_)))), "{list:?}");
    }
}

/// A change with this id.
fn with_id(what: Action, id: &str) -> Call {
    let id = Some(CallId::try_from(id.repeat(16)).unwrap());
    Call::Change(Change { what, reason: Some("test".into()), dry_run: false, id })
}

pub(super) const AS_IT_IS: &str = "as it is";

#[test]
fn a_slow_verification_holds_up_neither_views_nor_time_and_its_launch_follows() {
    on_stage(|stage| {
        assert_eq!((stage.asked(), stage.launches()), (1, 0));
        for _ in 0..30 {
            stage.answers_views();
            stage.pass(1);
        }
        assert_eq!((stage.asked(), stage.launches()), (1, 0), "it is asked for once");
        stage.answer(Ok(AS_IT_IS));
        stage.step();
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn the_machine_is_kept_up_while_a_package_runs_and_never_for_a_demo() {
    for demo in [false, true] {
        on_stage(|stage| {
            stage.world.lock().demo = demo;
            stage.answer(Ok(AS_IT_IS));
            for _ in 0..5 {
                stage.step();
            }
            assert_eq!((stage.launches(), stage.world.lock().kept_up), (1, !demo));
        });
    }
}

#[test]
fn content_that_changed_after_it_was_verified_is_verified_again_and_not_launched() {
    on_stage(|stage| {
        stage.answer(Ok("as it was"));
        stage.pass(1);
        assert_eq!((stage.asked(), stage.launches()), (1, 0));
        stage.answer(Ok(AS_IT_IS));
        stage.step();
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn what_was_verified_for_a_launch_that_did_not_come_is_verified_again_for_the_next() {
    on_stage(|stage| {
        let until = stage.world.lock().wall + TimeDelta::hours(5);
        assert!(stage.change(Action::Hold { until, replace: Replace::Nothing }).try_recv().unwrap().is_ok());
        stage.answer(Ok(AS_IT_IS));
        stage.pass(10);
        assert_eq!((stage.asked(), stage.launches()), (0, 0), "what is decided after it counts");
        assert!(stage.change(Action::Unhold).try_recv().unwrap().is_ok());
        stage.pass(1);
        assert_eq!((stage.asked(), stage.launches()), (1, 0), "nothing is reused");
        stage.answer(Ok(AS_IT_IS));
        stage.step();
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn an_operator_waits_for_the_verification_of_a_run_and_nobody_else_does() {
    on_stage(|stage| {
        let until = stage.world.lock().wall + TimeDelta::hours(5);
        assert!(stage.change(Action::Hold { until, replace: Replace::Nothing }).try_recv().unwrap().is_ok());
        stage.answer(Ok(AS_IT_IS));
        let overrides = vec![crate::terms::Gate::Hold];
        let mut run = stage.change(Action::Request(id(), Verb::Run { overrides, no_queue: false }));
        stage.pass(3);
        stage.answers_views();
        assert!(run.try_recv().is_err(), "it waits");
        assert_eq!((stage.asked(), stage.launches()), (1, 0));
        stage.answer(Ok(AS_IT_IS));
        assert!(matches!(run.try_recv(), Ok(Ok(Answer::Run(_)))));
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn content_that_is_not_what_was_published_starts_nothing_and_is_staged_and_verified_anew() {
    on_stage(|stage| {
        stage.answer(Err("setup.sh: it was changed after it was staged"));
        stage.pass(1);
        assert_eq!((stage.asked(), stage.launches()), (1, 0));
        stage.answer(Ok(AS_IT_IS));
        stage.pass(1);
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn an_operator_is_told_that_the_content_is_not_what_was_published() {
    on_stage(|stage| {
        let until = stage.world.lock().wall + TimeDelta::hours(5);
        assert!(stage.change(Action::Hold { until, replace: Replace::Nothing }).try_recv().unwrap().is_ok());
        stage.answer(Ok(AS_IT_IS));
        let overrides = vec![crate::terms::Gate::Hold];
        let mut run = stage.change(Action::Request(id(), Verb::Run { overrides, no_queue: false }));
        stage.answer(Err("setup.sh: it was changed after it was staged"));
        let refused = run.try_recv().unwrap().unwrap_err();
        assert_eq!((refused.code.as_str(), stage.launches()), ("content-mismatch", 0));
    });
}

/// A hold that keeps the automatic launch away, and a run that goes past it.
fn held_run(stage: &mut Stage) -> Action {
    let until = stage.world.lock().wall + TimeDelta::hours(5);
    assert!(stage.change(Action::Hold { until, replace: Replace::Nothing }).try_recv().unwrap().is_ok());
    stage.answer(Ok(AS_IT_IS));
    Action::Request(id(), Verb::Run { overrides: vec![crate::terms::Gate::Hold], no_queue: false })
}

#[test]
fn who_hung_up_while_the_content_was_verified_gets_no_run() {
    on_stage(|stage| {
        let run = held_run(stage);
        drop(stage.change(run));
        stage.answer(Ok(AS_IT_IS));
        stage.pass(1);
        assert_eq!(stage.launches(), 0);
    });
}

#[test]
fn a_run_whose_content_was_verified_after_its_callers_time_is_refused() {
    on_stage(|stage| {
        let run = held_run(stage);
        let until = Monotonic(stage.world.lock().mono + Duration::from_secs(100));
        let mut late = stage.ask_until(with_id(run.clone(), "0a"), Some(until));
        let mut in_time = stage.ask_until(with_id(run, "0b"), None);
        stage.pass(2);
        stage.answer(Ok(AS_IT_IS));
        assert_eq!(late.try_recv().unwrap().unwrap_err().code, "too-late");
        assert_eq!(stage.launches(), 0);
        stage.answer(Ok(AS_IT_IS));
        assert!(matches!(in_time.try_recv(), Ok(Ok(Answer::Run(_)))), "who waits gets it");
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn a_change_that_comes_after_its_callers_time_is_not_carried_out() {
    on_stage(|stage| {
        let until = stage.world.lock().wall + TimeDelta::hours(5);
        let past = Monotonic(stage.world.lock().mono - Duration::from_millis(1));
        let refused = stage
            .ask_until(with_id(Action::Hold { until, replace: Replace::Nothing }, "0a"), Some(past))
            .try_recv()
            .unwrap();
        assert_eq!(refused.unwrap_err().code, "too-late");
        let status = stage.ask(Call::View(View::Status)).try_recv().unwrap().unwrap();
        assert!(matches!(status, Answer::Status(doc) if doc.held_until.is_none()));
    });
}

#[test]
fn a_change_that_is_asked_for_again_is_answered_and_not_carried_out_again() {
    on_stage(|stage| {
        let from = stage.world.lock().wall;
        let hold =
            with_id(Action::Hold { until: from + TimeDelta::hours(5), replace: Replace::Nothing }, "0a");
        let first = stage.ask(hold.clone()).try_recv().unwrap();
        assert!(first.is_ok(), "{first:?}");
        assert!(stage.change(Action::Unhold).try_recv().unwrap().is_ok());
        assert_eq!(stage.ask(hold).try_recv().unwrap(), first, "what was answered then");
        let status = stage.ask(Call::View(View::Status)).try_recv().unwrap().unwrap();
        assert!(matches!(status, Answer::Status(doc) if doc.held_until.is_none()), "and no hold anew");
        let Ok(Answer::Audit(audit)) = stage.ask(Call::View(View::Audit(None))).try_recv().unwrap() else {
            unreachable!("an audit was asked for")
        };
        assert_eq!(
            audit.entries.iter().filter(|entry| entry.verb == "hold").count(),
            2,
            "asked and done, once"
        );
    });
}

#[test]
fn one_simulation_runs_at_a_time_an_operators_first_and_none_whose_caller_has_left() {
    on_stage(|stage| {
        let from = stage.world.lock().wall;
        let wanted =
            Wanted { request: None, from, until: from + TimeDelta::days(30), assume: Default::default() };
        let simulate = || Call::View(View::Simulate(wanted.clone()));
        let mut anna = stage.ask_as(false, simulate(), None);
        let under_way = stage.steps.errand().unwrap();
        drop(stage.ask_as(false, simulate(), None));
        let mut bob = stage.ask_as(false, simulate(), None);
        assert!(stage.steps.errand().is_none(), "one at a time");
        let mut ola = stage.ask(simulate());
        assert!(stage.steps.errand().is_none(), "still");
        under_way.run();
        assert_eq!(anna.try_recv().unwrap().unwrap_err().code, "service-busy", "it gave way");
        stage.steps.errand().unwrap().run();
        assert!(matches!(ola.try_recv(), Ok(Ok(Answer::Simulate(_)))));
        stage.steps.errand().unwrap().run();
        assert!(matches!(bob.try_recv(), Ok(Ok(Answer::Simulate(_)))));
        assert!(stage.steps.errand().is_none(), "nobody waits for the fourth");
    });
}

/// Of a long history it takes seconds, in which a run may end and an operator may ask for something.
#[test]
fn the_chain_is_checked_beside_the_loop_which_answers_meanwhile() {
    on_stage(|stage| {
        let mut checked = stage.ask_as(false, Call::View(View::AuditVerify), None);
        assert!(checked.try_recv().is_err(), "the loop does not do it");
        let under_way = stage.steps.errand().unwrap();
        let left = stage.ask_as(false, Call::View(View::AuditVerify), None);
        assert!(stage.ask(Call::View(View::Status)).try_recv().unwrap().is_ok());
        assert!(stage.change(Action::Unhold).try_recv().unwrap().is_ok());
        stage.pass(2);
        assert!(stage.steps.errand().is_none(), "one at a time");
        under_way.run();
        assert!(matches!(checked.try_recv(), Ok(Ok(Answer::Verify(doc))) if doc.ok && doc.entries > 0));
        drop(left);
        assert!(stage.steps.errand().is_none(), "nobody waits for the other");

        // An operator's ends one of somebody who may not operate.
        let mut anna = stage.ask_as(false, Call::View(View::AuditVerify), None);
        let under_way = stage.steps.errand().unwrap();
        let mut ola = stage.ask(Call::View(View::AuditVerify));
        assert!(stage.steps.errand().is_none());
        under_way.run();
        assert_eq!(anna.try_recv().unwrap().unwrap_err().code, "service-busy");
        stage.steps.errand().unwrap().run();
        assert!(matches!(ola.try_recv(), Ok(Ok(Answer::Verify(doc))) if doc.ok));
    });
}
