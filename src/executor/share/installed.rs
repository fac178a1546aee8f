//! Looking whether packages are installed, in processes of their own: one for all tests, as a rule. Where that takes too
//! long each test gets one for itself, so that a file that hangs keeps the others from nothing; and what hangs is not asked
//! with others again as long as it does.

use super::job::{ShareJob, ShareNews, test_at};
use crate::site::installed::Finding;
use crate::site::package::InstalledIf;
use crate::text::SafeText;
use std::time::{Duration, Instant};

/// One process may take this long.
pub const LOOK_DEADLINE: Duration = Duration::from_secs(15);
/// All of those that are asked one by one; what is left then is not known.
const TOGETHER: Duration = Duration::from_secs(180);

/// What each of these tests gives, in whatever order.
pub(super) fn apart(
    tests: &[InstalledIf],
    hangs: impl Fn(&str) -> bool,
    ask: impl Fn(&ShareJob) -> Result<ShareNews, SafeText>,
) -> Vec<(InstalledIf, Finding)> {
    let ask = |tests: &[InstalledIf]| match ask(&ShareJob::Installed { tests: tests.to_vec() }) {
        Ok(ShareNews::Installed(found)) => Ok(found),
        Ok(_) => Err("the helper answered something else".into()),
        Err(why) => Err(why),
    };
    let still_hangs = |test: &InstalledIf| test_at(std::slice::from_ref(test)).is_some_and(|at| hangs(&at));
    let (mut alone, together): (Vec<InstalledIf>, Vec<InstalledIf>) =
        tests.iter().cloned().partition(still_hangs);
    let mut found = Vec::new();
    match together.len() {
        0 => {}
        1 => alone.extend(together),
        _ => match ask(&together) {
            Ok(these) => found = these,
            Err(_) => alone.extend(together),
        },
    }
    let began = Instant::now();
    for test in alone {
        let one = match began.elapsed() < TOGETHER {
            true => ask(std::slice::from_ref(&test)),
            false => Err("others before it took too long".into()),
        };
        match one {
            Ok(one) => found.extend(one),
            Err(why) => found.push((test, Finding::unknown(why))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::installed::Answer;
    use crate::site::package::Is;
    use std::cell::RefCell;

    fn test(name: &str) -> InstalledIf {
        InstalledIf::File { path: format!("/{name}"), is: Is::There }
    }

    #[test]
    fn one_that_hangs_keeps_the_others_from_nothing_and_is_not_asked_with_them_again() {
        let (bad, asked) = (test("hangs"), RefCell::new(Vec::new()));
        let ask = |job: &ShareJob| {
            let ShareJob::Installed { tests } = job else { unreachable!() };
            asked.borrow_mut().push(tests.len());
            match tests.contains(&bad) {
                true => Err("it does not answer within 30s".into()),
                false => {
                    let yes = |test: &InstalledIf| (test.clone(), Finding::new(Answer::Yes, "it is there"));
                    Ok(ShareNews::Installed(tests.iter().map(yes).collect()))
                }
            }
        };
        let all = [test("one"), bad.clone(), test("two")];
        let answers = |found: Vec<(InstalledIf, Finding)>| {
            let mut found: Vec<_> = found.into_iter().map(|(test, found)| (test, found.answer)).collect();
            found.sort();
            found
        };
        let wanted = [(bad.clone(), Answer::Unknown), (test("one"), Answer::Yes), (test("two"), Answer::Yes)];
        assert_eq!(answers(apart(&all, |_| false, ask)), wanted);
        assert_eq!(asked.take(), [3, 1, 1, 1]);
        let hangs = |at: &str| at.contains("hangs");
        assert_eq!(answers(apart(&all, hangs, ask)), wanted);
        assert_eq!(asked.take(), [2, 1]);
        assert!(apart(&[], hangs, ask).is_empty() && asked.take().is_empty());
    }
}
