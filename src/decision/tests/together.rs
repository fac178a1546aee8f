//! Maintenance windows of a machine and of its groups, which have to be open at the same time, and what else policies of
//! groups close.

use super::super::model::*;
use super::super::window::{Calendar, Opening};
use super::gates::blocks;
use super::scene::*;
use crate::clock::{Zone, later};
use crate::terms::*;
use proptest::prelude::*;
use std::time::Duration;

/// Weekly windows on quarters of an hour.
fn weekly() -> impl Strategy<Value = Vec<String>> {
    let window = (0usize..7, 0u32..96, 1u32..96).prop_map(|(day, start, length)| {
        let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day];
        let end = (start + length) % 96;
        let clock = |quarter: u32| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
        format!("{day} {}-{}", clock(start), if end == 0 { "24:00".to_owned() } else { clock(end) })
    });
    prop::collection::vec(window, 0..5)
}

const QUARTER: Duration = Duration::from_secs(900);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Of the machine and of its groups: open where all are, for as long as all are.
    #[test]
    fn windows_of_several_are_open_where_all_of_them_are(
        own in weekly(), group in weekly(), other in weekly(), at in 0u32..672, need in 1usize..20
    ) {
        let zone = Zone::utc();
        let each: Vec<Calendar> =
            [&own, &group, &other].iter().map(|w| Calendar::new(w, &zone, now()).unwrap()).collect();
        let [a, b, c] = <[Calendar; 3]>::try_from(each.clone()).unwrap();
        let all = a.and(vec![b, c]);
        let t = later(now(), QUARTER * at);
        let open: Vec<bool> = (0..3 * 672)
            .map(|n| {
                let t = later(t, QUARTER * n);
                let is_open = |c: &Calendar| matches!(c.at(t, Duration::ZERO), Opening::Always | Opening::Open { .. });
                each.iter().all(is_open)
            })
            .collect();
        let after = |n: usize| later(t, QUARTER * u32::try_from(n).unwrap());
        let fits = |n: usize| open[n..].len() >= need && open[n..n + need].iter().all(|open| *open);
        let closes = open.iter().position(|open| !*open);
        let next = |from: usize| (from..2 * 672).find(|n| fits(*n)).map(after);
        match (all.at(t, QUARTER * u32::try_from(need).unwrap()), closes) {
            (Opening::Always, closes) => prop_assert_eq!(closes, None),
            // Open for more than three weeks.
            (Opening::Open { .. }, None) => {}
            (Opening::Open { until }, Some(n)) => {
                prop_assert_eq!(until, after(n));
                prop_assert!(n >= need);
            }
            (Opening::TooShort { until, next: first }, Some(n)) => {
                prop_assert!(n > 0 && n < need);
                prop_assert_eq!((until, Some(first)), (after(n), next(n)));
            }
            (Opening::Closed { next: first }, Some(n)) => {
                prop_assert_eq!(n, 0);
                prop_assert_eq!(Some(first), next(0));
            }
            (Opening::NeverFits { .. }, Some(_)) => prop_assert_eq!(next(0), None),
            (wrong, None) => prop_assert!(false, "{:?}, and it is always open", wrong),
        }
    }
}

#[test]
fn groups_close_and_are_named() {
    let group = |weekly: &str| GroupPolicy {
        group: "web".into(),
        unreadable: None,
        freezes: vec![freeze("2026-12-20T00:00:00", "2027-01-04T00:00:00")],
        windows: Some(GroupWindows { weekly: vec![weekly.into()], zone: Ok(Zone::utc()) }),
    };
    let closed = Scene::due().with(|s| s.policy.groups = vec![group("Mon 02:00-06:00")]);
    let gate = blocks(&closed, Gate::Window, Code::WindowClosed, Change::At(at("2026-11-23T02:00:00Z")));
    assert!(gate.evidence.as_str().ends_with("(with the windows of groups: web)"), "{}", gate.evidence);
    let open = Scene::due().with(|s| s.policy.groups = vec![group("Sun 00:00-24:00")]);
    assert_eq!(open.decision().state, State::Due);
    let frozen = open
        .with(|s| s.policy.groups[0].freezes = vec![freeze("2026-11-22T10:00:00", "2026-11-22T14:00:00")]);
    let gate = blocks(&frozen, Gate::Hold, Code::Frozen, Change::At(at("2026-11-22T14:00:00Z")));
    assert!(gate.evidence.as_str().starts_with("group web is frozen"), "{}", gate.evidence);
    let unreadable = Scene::due().with(|s| {
        s.policy.groups = vec![group("Sun 00:00-24:00")];
        s.policy.groups[0].unreadable = Some("the policy of group web, policy/web.3.toml: it is gone".into());
    });
    let gate = blocks(&unreadable, Gate::Policy, Code::PolicyUnreadable, Change::Event);
    assert!(gate.evidence.as_str().contains("policy of group web"), "{}", gate.evidence);
}
