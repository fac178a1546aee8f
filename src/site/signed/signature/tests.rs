//! Signatures as tokens and other programs make them.
#![allow(clippy::unwrap_used)]
use super::super::testing::{armour, signing_key};
use super::*;
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::{Ed25519PublicKey, SkEd25519};
use ssh_key::{HashAlg, LineEnding, PrivateKey, SigningKey};

const TEXT: &[u8] = b"what is signed\n";

fn raw(key: &impl SigningKey, bytes: &[u8]) -> ssh_key::Signature {
    key.try_sign(bytes).unwrap()
}

fn code(result: Result<Signature, Distrust>) -> Code {
    result.unwrap_err().code
}

/// What a token of this application answers to a request with these flags.
fn by_token(application: &str, flags: u8) -> String {
    let pair = Ed25519Keypair::from_seed(&[7; 32]);
    let public = Ed25519PublicKey(pair.public.0);
    let key = KeyData::SkEd25519(SkEd25519::new(public, application));
    let data = SshSig::signed_data("pcm-trust", HashAlg::Sha512, TEXT).unwrap();
    let mut signed = Sha256::digest(application).to_vec();
    signed.extend([flags, 0, 0, 0, 42]);
    signed.extend(Sha256::digest(&data));
    let private = PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap();
    let mut bytes = raw(&private, &signed).as_bytes().to_vec();
    bytes.extend([flags, 0, 0, 0, 42]);
    let signature = ssh_key::Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let whole = SshSig::new(key, "pcm-trust", HashAlg::Sha512, signature).unwrap();
    whole.to_pem(LineEnding::LF).unwrap()
}

#[test]
fn a_token_counts_only_with_a_touch_and_for_ssh() {
    let touched = Signature::read(&by_token("ssh:", 1)).unwrap();
    assert!(touched.key().is_on_a_token());
    touched.verify(Role::Trust, TEXT).unwrap();
    assert!(touched.verify(Role::Trust, b"something else\n").is_err());
    Signature::read(&by_token("ssh:pcm", 5)).unwrap().verify(Role::Trust, TEXT).unwrap();
    for (application, flags) in [("ssh:", 0), ("ssh:", 4), ("https://example.org", 1), ("", 1), ("xssh:", 1)]
    {
        assert_eq!(
            code(Signature::read(&by_token(application, flags))),
            Code::BadAlgorithm,
            "{application:?} {flags}"
        );
    }
}

#[test]
fn the_flags_of_a_token_are_signed_with_the_rest() {
    let untouched = SshSig::from_pem(by_token("ssh:", 0)).unwrap();
    let mut bytes = untouched.signature_bytes().to_vec();
    let at = bytes.len() - TOKEN_TRAILER;
    bytes[at] = 1;
    let forged = ssh_key::Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let forged = SshSig::new(untouched.public_key().clone(), "pcm-trust", HashAlg::Sha512, forged).unwrap();
    let forged = Signature::read(&forged.to_pem(LineEnding::LF).unwrap()).unwrap();
    assert!(forged.verify(Role::Trust, TEXT).is_err());
}

#[test]
fn a_signature_counts_for_its_namespace_and_its_bytes_alone() {
    let (private, public) = signing_key(1);
    for hash in [HashAlg::Sha256, HashAlg::Sha512] {
        let pem = private.sign("pcm-publish", hash, TEXT).unwrap().to_pem(LineEnding::LF).unwrap();
        let read = Signature::read(&pem).unwrap();
        assert_eq!(*read.key(), public);
        read.verify(Role::Publish, TEXT).unwrap();
        assert!(read.verify(Role::Package, TEXT).is_err());
        assert!(read.verify(Role::Publish, b"what is signed").is_err());
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A signature whose bytes were changed.
fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Result<Signature, Distrust> {
    let pem = armour(&signing_key(1).0, "pcm-publish", TEXT);
    let digits = pem.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes);
    let digits: Vec<usize> = digits.filter_map(|b| BASE64.iter().position(|c| *c == b)).collect();
    let mut bytes: Vec<u8> = digits
        .chunks(4)
        .flat_map(|four| {
            let n = four.iter().fold(0, |n, digit| n << 6 | digit) << (6 * (4 - four.len()));
            [n >> 16, n >> 8, n].into_iter().take(four.len() - 1).map(|b| (b & 0xFF) as u8)
        })
        .collect();
    change(&mut bytes);
    let text: Vec<u8> = bytes
        .chunks(3)
        .flat_map(|three| {
            let n = three.iter().fold(0, |n, b| n << 8 | usize::from(*b)) << (8 * (3 - three.len()));
            let digit = move |i: usize| if i <= three.len() { BASE64[n >> (18 - 6 * i) & 63] } else { b'=' };
            (0..4).map(digit)
        })
        .collect();
    let lines: Vec<&str> = text.chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    Signature::read(&format!("{FIRST}\n{}\n{LAST}\n", lines.join("\n")))
}

#[test]
fn other_versions_and_reserved_data_are_refused() {
    forged(|_| {}).unwrap();
    for version in [0, 2] {
        assert_eq!(code(forged(|bytes| bytes[9] = version)), Code::BadSignature);
    }
    let reserved = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(11).position(|w| w == b"pcm-publish").unwrap() + 11;
        bytes.splice(at..at + 4, [0, 0, 0, 1, 0xFF]);
    };
    assert_eq!(code(forged(reserved)), Code::BadSignature);
}

#[test]
fn lengths_that_do_not_fit_what_they_hold_are_refused() {
    // Of the public key, which is read to its end all the same.
    assert_eq!(code(forged(|bytes| bytes[13] += 16)), Code::BadSignature);
}

#[test]
fn armour_is_taken_only_as_ssh_keygen_writes_it() {
    let good = armour(&signing_key(1).0, "pcm-publish", TEXT);
    Signature::read(&good).unwrap();
    for bad in [
        String::new(),
        good.replace("SSH SIGNATURE", "SSH  SIGNATURE"),
        good.replace('\n', "\r\n"),
        format!("x{good}"),
        format!("{good}x"),
        format!("{good}\n"),
        format!("{good}{good}"),
        good.replacen('\n', "\n\n", 1),
        good.replacen("\nU1NIU0lH", "\nComment: x\nU1NIU0lH", 1),
        good.replacen("U1NIU0lH", "U1NIU0lI", 1),
        "A".repeat(MAX_ARMOUR + 1),
    ] {
        assert!(Signature::read(&bad).is_err(), "{bad:?}");
    }
}
