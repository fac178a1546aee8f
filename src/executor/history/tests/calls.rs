//! What is kept of calls.

use super::*;
use crate::decision::Hold;

fn call(n: u32) -> CallId {
    CallId::try_from(format!("{n:032x}")).unwrap()
}

fn entry(at: Wall) -> AuditEntryDoc {
    AuditEntryDoc {
        at,
        who: "ola".into(),
        uid: Some(0),
        terminal: None,
        from: None,
        verb: "hold".into(),
        request_id: None,
        reason: None,
        result: "asked".into(),
        times: None,
        since: None,
    }
}

fn hold(history: &mut History) -> Result<Delta> {
    let hold = Hold { until: at(60), by: "ola".into(), reason: "x".into(), at: at(1) };
    history.set_hold(at(1), Some(&hold), &hold.by)
}

#[test]
fn a_change_is_known_to_be_in_force_from_the_moment_it_is() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    assert_eq!(history.became(&call(1)).unwrap(), None);
    history.audit(&entry(at(1)), Some(&CallNote::Begun(&call(1)))).unwrap();
    assert_eq!(history.became(&call(1)).unwrap(), Some(Became::Begun));
    let _ = history.for_call(Some(&call(1)), hold).unwrap();
    // Whoever was the executor is gone before it could answer.
    drop(history);
    let mut history = machine.open().unwrap();
    assert_eq!(history.became(&call(1)).unwrap(), Some(Became::Taken));
    assert!(history.snapshot().unwrap().view.hold.is_some());
    history.audit(&entry(at(1)), Some(&CallNote::Answered(&call(1), "{}".into()))).unwrap();
    assert_eq!(history.became(&call(1)).unwrap(), Some(Became::Answered("{}".into())));
    // What follows belongs to nobody's call.
    history.audit(&entry(at(1)), Some(&CallNote::Begun(&call(2)))).unwrap();
    let _ = hold(&mut history).unwrap();
    assert_eq!(history.became(&call(2)).unwrap(), Some(Became::Begun));
}

#[test]
fn calls_are_kept_by_number_and_by_age() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    history.audit(&entry(at(0)), Some(&CallNote::Begun(&call(0)))).unwrap();
    history.audit(&entry(at(24 * 60 + 1)), Some(&CallNote::Begun(&call(1)))).unwrap();
    assert_eq!(history.became(&call(0)).unwrap(), None, "older than a day");
    assert_eq!(history.became(&call(1)).unwrap(), Some(Became::Begun));
    history
        .transition(at(24 * 60 + 1), |tx, _| {
            for n in 2..=crate::executor::history::calls::KEPT + 1 {
                CallNote::Begun(&call(n)).write(tx, at(24 * 60 + 1))?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(history.became(&call(1)).unwrap(), None, "a thousand newer ones");
    assert_eq!(history.became(&call(2)).unwrap(), Some(Became::Begun));
}
