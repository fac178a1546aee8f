//! Keys and signatures for tests: always the same for a number, without ssh-keygen.
#![allow(clippy::unwrap_used)]

use super::block;
use super::list::TrustList;
use super::signers::{Key, Role, Signer};
use crate::clock::Wall;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

/// A key pair.
pub fn signing_key(number: u8) -> (PrivateKey, Key) {
    let pair = Ed25519Keypair::from_seed(&[number; 32]);
    let private = PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap();
    let public = Key::of(private.public_key().clone()).unwrap();
    (private, public)
}

/// The signature of a text.
pub fn armour(key: &PrivateKey, namespace: &str, text: &[u8]) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, text).unwrap().to_pem(LineEnding::LF).unwrap();
    // One line break at the end, as ssh-keygen writes it.
    format!("{}\n", signature.trim_end())
}

/// A text with its signature at the end.
pub fn signed(key: &PrivateKey, namespace: &str, text: &str) -> String {
    block::append(text, &armour(key, namespace, text.as_bytes()))
}

/// When the lists of tests were made.
pub fn issued() -> Wall {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

/// Key 1 is a trust key, 2 a package key, 3 a publishing key.
pub fn list(version: u64) -> TrustList {
    let line = |number: u8, role: Role| Signer {
        principal: format!("{role}-{number}"),
        role,
        after: None,
        before: (role == Role::Publish).then(|| issued() + chrono::TimeDelta::days(300)),
        key: signing_key(number).1,
    };
    TrustList {
        site: "BP0".parse().unwrap(),
        site_id: "abcdefgh23456723".parse().unwrap(),
        version,
        issued: issued(),
        signers: vec![line(1, Role::Trust), line(2, Role::Package), line(3, Role::Publish)],
        revoked: Vec::new(),
        withdrawn: [].into(),
    }
}

/// A list signed with this key.
pub fn signed_list(list: &TrustList, number: u8) -> Vec<u8> {
    signed(&signing_key(number).0, "pcm-trust", &list.render()).into_bytes()
}
