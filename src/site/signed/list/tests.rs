//! Lists as they are written and read, and the chain of their versions.
#![allow(clippy::unwrap_used)]
use super::super::testing::{issued, list, signed, signed_list, signing_key};
use super::*;

fn now() -> Wall {
    issued() + TimeDelta::days(1)
}

fn why(result: Result<TrustList, Distrust>) -> String {
    result.unwrap_err().to_string()
}

fn refused(change: impl FnOnce(&mut TrustList)) -> String {
    let mut list = list(1);
    change(&mut list);
    Distrust::malformed(&TrustList::parse(list.render().as_bytes()).unwrap_err()).why.into_string()
}

#[test]
fn a_list_is_read_back_as_it_was_written() {
    let mut list = list(7);
    list.revoked.push(signing_key(9).1);
    list.withdrawn.insert("BP00000A".parse().unwrap(), 3);
    list.signers[0].principal = "anna".into();
    assert_eq!(TrustList::parse(list.render().as_bytes()), Ok(list));
}

#[test]
fn one_wrong_line_refuses_the_whole_list() {
    let of = |from: &str, to: &str| {
        let text = list(1).render().replace(from, to);
        TrustList::parse(text.as_bytes())
            .unwrap_err()
            .iter()
            .map(|p| p.message.to_string())
            .collect::<String>()
    };
    assert!(of("kind = \"trust\"", "kind = \"index\"").contains("no trust list"));
    assert!(of("format = 1", "format = 2").contains("needs a newer pcm"));
    assert!(of("format = 1", "format = 1\nextra = 1").contains("not known"));
    assert!(of("version = 1", "version = 0").contains("counted from 1"));
    assert!(of("revoked = [\n]", "").contains("revoked is missing"));
    assert!(of("namespaces=\"pcm-package\" ", "").contains("wanted"));
    assert!(of("site_id = \"abcdefgh23456723\"", "site_id = \"x\"").contains("site id"));
    assert!(refused(|l| l.signers[1].key = l.signers[0].key.clone()).contains("one role and one line"));
    assert!(refused(|l| l.revoked.push(l.signers[1].key.clone())).contains("is revoked"));
    assert!(refused(|l| l.signers[2].before = None).contains("400 days"));
    assert!(refused(|l| l.signers[2].before = Some(l.issued + TimeDelta::days(401))).contains("400 days"));
    assert!(refused(|l| drop(l.signers.remove(0))).contains("no pcm-trust key is left"));
    let many = format!("signers = [{}", "\"x\",".repeat(201));
    assert!(of("signers = [", &many).contains("more than 200"));
}

#[test]
fn the_first_list_signs_itself_and_is_taken_for_a_fingerprint_alone() {
    let (list, print) = (list(1), signing_key(1).1.fingerprint());
    let bytes = signed_list(&list, 1);
    assert_eq!(TrustList::anchored(&bytes, &print, now()), Ok(list.clone()));
    let other = signing_key(2).1.fingerprint();
    assert!(why(TrustList::anchored(&bytes, &other, now())).contains("and not by SHA256:"));
    // Another's list under the right site, signed by a key that it calls a trust key itself.
    let mut own = list.clone();
    own.signers[0].key = signing_key(9).1;
    assert!(why(TrustList::anchored(&signed_list(&own, 9), &print, now())).contains("and not by"));
    // Signed by the right key for something else.
    let text = signed(&signing_key(1).0, "pcm-publish", &list.render());
    assert!(why(TrustList::anchored(text.as_bytes(), &print, now())).contains("\"pcm-trust\" is wanted"));
    // The key that signs the first version is none of its trust keys.
    let two = signing_key(2).1.fingerprint();
    assert!(why(TrustList::anchored(&signed_list(&list, 2), &two, now())).contains("a trust key is wanted"));
}

#[test]
fn versions_are_taken_in_order_each_signed_by_the_one_before() {
    let (one, mut two) = (list(1), list(2));
    two.signers[0].key = signing_key(5).1;
    assert_eq!(one.next(&signed_list(&two, 1), &[], now()), Ok(two.clone()));
    // The new key of version 2 counts from version 2 on, and the old one no more.
    assert!(why(one.next(&signed_list(&two, 5), &[], now())).contains("does not know"));
    assert!(why(two.next(&signed_list(&list(3), 1), &[], now())).contains("does not know"));
    assert!(two.next(&signed_list(&list(3), 5), &[], now()).is_ok());
    for (version, words) in [(1, "rollback"), (3, "rollback")] {
        assert!(why(one.next(&signed_list(&list(version), 1), &[], now())).contains(words));
    }
    for key in [2, 3] {
        assert!(why(one.next(&signed_list(&two, key), &[], now())).contains("a trust key is wanted"));
    }
    let revoked = [signing_key(1).1];
    assert!(why(one.next(&signed_list(&two, 1), &revoked, now())).contains("revoked"));
    let mut other = two.clone();
    other.site_id = "zzzzzzzzzzzzzzzz".parse().unwrap();
    assert!(why(one.next(&signed_list(&other, 1), &[], now())).contains("it is of the site BP0 zzzz"));
    let mut late = two;
    late.issued = now() + TimeDelta::hours(25);
    late.signers[2].before = Some(late.issued);
    assert!(why(one.next(&signed_list(&late, 1), &[], now())).starts_with("issued-ahead"));
}

#[test]
fn a_trust_key_that_has_ended_signs_no_list() {
    let mut one = list(1);
    one.signers[0].before = Some(issued() + TimeDelta::days(2));
    let two = signed_list(&list(2), 1);
    assert!(one.next(&two, &[], now()).is_ok());
    assert!(why(one.next(&two, &[], now() + TimeDelta::days(1))).starts_with("key-expired"));
}

#[test]
fn any_changed_byte_of_a_list_is_found() {
    let (list, print) = (list(1), signing_key(1).1.fingerprint());
    let bytes = signed_list(&list, 1);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x01;
        assert!(TrustList::anchored(&changed, &print, now()).is_err(), "byte {at}");
    }
    for end in 0..bytes.len() {
        assert!(TrustList::anchored(&bytes[..end], &print, now()).is_err(), "cut at {end}");
    }
}

#[test]
fn a_key_that_ends_is_named_until_its_successor_counts() {
    let names = |list: &TrustList, days| {
        let ending = list.ending(issued() + TimeDelta::days(days));
        ending.map(|(signer, _)| signer.principal.clone()).collect::<Vec<_>>()
    };
    let mut list = list(1);
    for (days, named) in [(269, 0), (271, 1), (301, 1)] {
        assert_eq!(names(&list, days).len(), named, "{days}");
    }
    let successor = |change: &dyn Fn(&mut Signer)| {
        let mut signer = list.signers[2].clone();
        (signer.key, signer.before) = (signing_key(4).1, Some(issued() + TimeDelta::days(600)));
        change(&mut signer);
        TrustList { signers: [&list.signers[..], &[signer]].concat(), ..list.clone() }
    };
    for days in [271, 301] {
        assert_eq!(names(&successor(&|_| {}), days).len(), 0, "{days}");
        let others: [&dyn Fn(&mut Signer); 4] = [
            &|signer| signer.principal = "other".into(),
            &|signer| signer.role = Role::Package,
            &|signer| signer.after = Some(issued() + TimeDelta::days(400)),
            &|signer| signer.before = Some(issued() + TimeDelta::days(280)),
        ];
        for other in others {
            assert!(names(&successor(other), days).contains(&list.signers[2].principal), "{days}");
        }
    }
    list.revoked.push(signing_key(3).1);
    assert_eq!(names(&list, 301).len(), 0);
}
