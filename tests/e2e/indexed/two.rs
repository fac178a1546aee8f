//! Two people sign each publication (SITE.md 4, `[trust] publish_signatures`): exactly so many blocks, each over the same
//! bytes, by keys of different people.

use super::*;

/// A machine that wants two of them; the index is signed by these keys.
fn machine() -> Option<Indexed> {
    let share = Indexed::signed()?;
    let config = fs::read_to_string(share.site.config()).unwrap();
    let config = config.replace("mode = \"signed\"", "mode = \"signed\"\npublish_signatures = 2");
    write(&share.site.config(), config.as_bytes());
    for name in ["approver", "again"] {
        share.site.json(&["key", "generate", &share.key(name)]);
    }
    share.trust(&["trust", &share.public("approver"), "--role", "publish", "--principal", "approver"]);
    // Another key of the one who publishes.
    share.trust(&["trust", &share.public("again"), "--role", "publish", "--principal", "publish"]);
    share.copy_lists();
    Some(share)
}

impl Indexed {
    /// The next index with this job, signed by each of these keys, one below the other.
    fn signed_by(&mut self, keys: &[&str], job: &Job) -> String {
        let head = Head { epoch: 5, ..self.head() };
        let text = self.parts(&head, std::slice::from_ref(job));
        let blocks = keys.iter().map(|key| self.sign(key, "pcm-publish", &text)[text.len()..].to_owned());
        let blocks: String = blocks.collect();
        let signed = format!("{text}{blocks}");
        self.place(&signed);
        signed
    }
}

#[test]
fn a_machine_that_wants_two_signatures_takes_nothing_that_has_fewer_more_or_those_of_one_person() {
    let Some(mut share) = machine() else { return };
    let job = share.job().later();
    let good = share.signed_by(&["publish", "approver"], &job);
    share.enrol();
    assert_eq!(share.polled(JOB), "good");
    let status = share.site.json_of(&["status"]);
    assert_eq!(status["trust"]["principal"], "publish, approver", "{status}");
    assert!(share.evidence(JOB, "trust").contains("signed by publish with SHA256:"));
    assert!(share.evidence(JOB, "trust").contains(" and approver with SHA256:"));
    let now = share.job();
    for keys in [
        &["publish"][..],
        &["publish", "publish"],
        &["publish", "again"],
        &["publish", "package"],
        &["publish", "stranger"],
        &["publish", "approver", "again"],
    ] {
        share.signed_by(keys, &now);
        assert_eq!(share.polled(JOB), "bad-signature", "{keys:?}");
        assert_eq!(share.site.state_of(ID), "offered", "what both have signed stays: {keys:?}");
    }
    // The second one signs something else.
    let head = Head { epoch: 5, ..share.head() };
    let text = share.parts(&head, std::slice::from_ref(&now));
    let other = text.replace("percent = 100", "percent = 50");
    let (first, second) =
        (share.sign("publish", "pcm-publish", &text), share.sign("approver", "pcm-publish", &other));
    share.place(&format!("{first}{}", &second[other.len()..]));
    assert_eq!(share.polled(JOB), "bad-signature");
    // The order of the two is no matter, and what they agree on runs.
    share.signed_by(&["approver", "publish"], &now);
    assert_eq!(share.polled(JOB), "good");
    let service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    assert_eq!(share.site.ran("ran"), 1);
    service.terminate();
    // One that wants one signature takes none that has two.
    let config = fs::read_to_string(share.site.config()).unwrap().replace("publish_signatures = 2\n", "");
    write(&share.site.config(), config.as_bytes());
    assert!(good.matches("BEGIN SSH SIGNATURE").count() == 2);
    share.signed_by(&["publish", "approver"], &now);
    assert_eq!(share.polled(JOB), "bad-signature");
}
