//! Signatures by many keys, verified together: for the reports of a site that takes a third of the time. Only ed25519 can be, and
//! what is verified together is all good or none is known to be: where one is not, smaller groups are tried, and at last each
//! by itself, so that whatever does not verify is refused one by one, with the same words.
//!
//! Together they are taken where each alone would be, and in one more case: where the holder of a key adds a point of small
//! order to its own signature. Nobody else can make such a one, so that a signature still says whose it is, which is all
//! that is asked of a report. What lets something run is verified by itself.

use super::Distrust;
use super::signature::{Plain, Signature};
use ed25519_dalek::{VerifyingKey, verify_batch};

/// So many at once, and so many where one of those is bad.
const GROUPS: [usize; 2] = [512, 64];

/// Whether the key of each signature made it over these bytes, for this namespace.
pub fn verify_for(wanted: &str, all: &[(&Signature, &[u8])]) -> Vec<Result<(), Distrust>> {
    let plain =
        |(n, (signature, signed)): (usize, &(&Signature, &[u8]))| Some((n, signature.plain(wanted, signed)?));
    let (places, plain): (Vec<usize>, Vec<Plain>) = all.iter().enumerate().filter_map(plain).unzip();
    let mut good = vec![false; all.len()];
    for at in good_ones(&plain, &GROUPS) {
        good[places[at]] = true;
    }
    let verify = |((signature, signed), good): (&(&Signature, &[u8]), bool)| match good {
        true => Ok(()),
        false => signature.verify_for(wanted, signed),
    };
    all.iter().zip(good).map(verify).collect()
}

/// The places of those that are known to be good.
fn good_ones(all: &[Plain], groups: &[usize]) -> Vec<usize> {
    let Some((most, smaller)) = groups.split_first() else { return Vec::new() };
    let mut good = Vec::new();
    for (n, some) in all.chunks(*most).enumerate() {
        let from = n * most;
        match are_good(some) {
            true => good.extend(from..from + some.len()),
            false => good.extend(good_ones(some, smaller).into_iter().map(|at| from + at)),
        }
    }
    good
}

fn are_good(some: &[Plain]) -> bool {
    let keys: Option<Vec<VerifyingKey>> =
        some.iter().map(|one| VerifyingKey::from_bytes(&one.key).ok()).collect();
    let signed: Vec<&[u8]> = some.iter().map(|one| one.signed.as_slice()).collect();
    let signatures: Vec<ed25519_dalek::Signature> =
        some.iter().map(|one| ed25519_dalek::Signature::from_bytes(&one.signature)).collect();
    keys.is_some_and(|keys| verify_batch(&signed, &signatures, &keys).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::signed::testing::signing_key;
    use ssh_key::rand_core::OsRng;
    use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey};

    const NAMESPACE: &str = "pcm-report";

    fn signed(key: &PrivateKey, namespace: &str, bytes: &[u8]) -> Signature {
        let made = key.sign(namespace, HashAlg::Sha512, bytes).unwrap();
        Signature::read(&format!("{}\n", made.to_pem(LineEnding::LF).unwrap().trim_end())).unwrap()
    }

    /// Whatever is among them, and wherever: each is judged as it is alone.
    #[test]
    fn each_of_many_is_judged_as_it_is_alone() {
        let ecdsa = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
        let curve = PrivateKey::random(&mut OsRng, ecdsa).unwrap();
        let keys: Vec<PrivateKey> = (1..=9).map(|n| signing_key(n).0).collect();
        let texts: Vec<Vec<u8>> = (0..1_200).map(|n| format!("report {n}\n").into_bytes()).collect();
        let made = |n: usize| match n % 100 {
            7 => signed(&curve, NAMESPACE, &texts[n]),
            _ => signed(&keys[n % keys.len()], NAMESPACE, &texts[n]),
        };
        let all: Vec<Signature> = (0..texts.len()).map(made).collect();
        let other = signed(&keys[0], "pcm-publish", &texts[1_100]);
        let bad_ones: [&[usize]; 4] =
            [&[], &[3], &[0, 511, 512, 700, 1_199], &[64, 65, 107, 1_000, 1_001, 1_002]];
        for bad in bad_ones {
            let one = |n: usize| match n {
                // By another key, or over other bytes.
                n if bad.contains(&n) && n.is_multiple_of(2) => {
                    (&all[(n + 1) % all.len()], texts[n].as_slice())
                }
                n if bad.contains(&n) => (&all[n], texts[(n + 1) % all.len()].as_slice()),
                1_100 => (&other, texts[n].as_slice()),
                n => (&all[n], texts[n].as_slice()),
            };
            let given: Vec<(&Signature, &[u8])> = (0..all.len()).map(one).collect();
            let alone: Vec<_> =
                given.iter().map(|(signature, bytes)| signature.verify_for(NAMESPACE, bytes)).collect();
            let refused = alone.iter().filter(|verified| verified.is_err()).count();
            assert_eq!(refused, bad.len() + 1);
            assert_eq!(verify_for(NAMESPACE, &given), alone);
        }
        assert!(verify_for(NAMESPACE, &[]).is_empty());
    }

    /// It is done together at all: those are known to be good without one that was verified alone.
    #[test]
    fn where_one_is_bad_those_far_from_it_are_still_verified_together() {
        let key = signing_key(1).0;
        let mut all: Vec<Plain> = (0..700_u32)
            .map(|n| signed(&key, NAMESPACE, &n.to_le_bytes()).plain(NAMESPACE, &n.to_le_bytes()).unwrap())
            .collect();
        assert_eq!(good_ones(&all, &GROUPS).len(), 700);
        all[100].signature[40] ^= 1;
        let good = good_ones(&all, &GROUPS);
        assert_eq!(good.len(), 700 - GROUPS[1]);
        assert!(!good.contains(&100) && !good.contains(&64) && good.contains(&63) && good.contains(&699));
        // A key that is no point of the curve.
        all[600].key = [2; 32];
        assert!(!good_ones(&all, &GROUPS).contains(&600));
    }
}
