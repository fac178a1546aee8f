//! One signature as `ssh-keygen -Y sign` makes it (`PROTOCOL.sshsig`): whether it may be believed at all, and whether a
//! key made it over these bytes. `ssh_key` computes; everything it leaves open is decided here: the version, the
//! algorithms, the hash's name, reserved data, and the touch of a token.

use super::Distrust;
use super::signers::{Key, Role};
use crate::terms::Code;
use base64ct::{Base64, Encoding as _};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, LineEnding, PublicKey, SshSig};

/// The largest signature as text, in bytes.
pub const MAX_ARMOUR: usize = 4 << 10;
const FIRST: &str = "-----BEGIN SSH SIGNATURE-----";
const LAST: &str = "-----END SSH SIGNATURE-----";
/// Of a token's flags: a person touched it.
const USER_PRESENT: u8 = 1;
/// Flags and counter, after a token's signature.
const TOKEN_TRAILER: usize = 5;

/// What an ed25519 signature is verified by, to be verified with others.
pub(super) struct Plain {
    pub(super) key: [u8; 32],
    pub(super) signature: [u8; 64],
    /// The bytes that were signed: a frame around the hash of what the signature is over.
    pub(super) signed: Vec<u8>,
}

/// A signature whose form and algorithms are fine. Whose it is, and whether it verifies, is another question.
#[derive(Debug, Clone)]
pub struct Signature {
    parsed: SshSig,
    key: Key,
}

impl Signature {
    /// Reads the text between its first and its last line, and nothing else than that.
    ///
    /// # Errors
    /// `bad-algorithm`: a key or hash that is never believed, or a token that nobody touched; `bad-signature`: it is no
    /// signature.
    pub fn read(armour: &str) -> Result<Self, Distrust> {
        if armour.len() > MAX_ARMOUR {
            return Err(Distrust::bad(format!("the signature is larger than {MAX_ARMOUR} bytes")));
        }
        let text = armour.strip_suffix('\n').unwrap_or(armour);
        let body = text.strip_prefix(FIRST).and_then(|t| t.strip_prefix('\n'));
        let body = body.and_then(|t| t.strip_suffix(LAST)).and_then(|t| t.strip_suffix('\n'));
        let base64 = |line: &str| {
            !line.is_empty()
                && line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
        };
        let Some(body) = body.filter(|body| body.split('\n').all(base64)) else {
            return Err(Distrust::bad("it is no signature as ssh-keygen writes one"));
        };
        if is_certified(body) {
            let why = "it was made with a certificate, and pcm believes keys alone: sign with the key itself";
            return Err(Distrust::new(Code::BadAlgorithm, why));
        }
        let parsed = SshSig::from_pem(text).map_err(|e| match e {
            ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
                Distrust::new(Code::BadAlgorithm, "its key or hash is of a kind that is never believed")
            }
            other => Distrust::bad(format!("it is no signature that can be read: {other}")),
        })?;
        let key = Key::of(PublicKey::from(parsed.public_key().clone()))?;
        if !is_canonical(&parsed, text) {
            return Err(Distrust::bad("the signature is not written as ssh-keygen writes it"));
        }
        if parsed.version() != SshSig::VERSION || !parsed.reserved().is_empty() {
            return Err(Distrust::bad("the signature is of another version of the format"));
        }
        let signature = Self { parsed, key };
        signature.check_algorithm()?;
        signature.check_touch()?;
        Ok(signature)
    }

    /// Whose signature it says it is.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// As what it was made.
    ///
    /// # Errors
    /// `bad-signature`: for something else than pcm.
    pub fn role(&self) -> Result<Role, Distrust> {
        let namespace = self.parsed.namespace();
        let role = Role::ALL.iter().copied().find(|role| role.namespace() == namespace);
        role.ok_or_else(|| Distrust::bad(format!("it was signed for the namespace {namespace:?}")))
    }

    /// Whether its key made it over these bytes, as what it is to be here.
    ///
    /// # Errors
    /// `bad-signature`
    pub fn verify(&self, role: Role, signed: &[u8]) -> Result<(), Distrust> {
        self.verify_for(role.namespace(), signed)
    }

    /// The same for what no role of a trust list signs.
    ///
    /// # Errors
    /// `bad-signature`
    pub fn verify_for(&self, wanted: &str, signed: &[u8]) -> Result<(), Distrust> {
        let found = self.parsed.namespace();
        if wanted != found {
            return Err(Distrust::bad(format!(
                "it was signed for the namespace {found:?}, and {wanted:?} is wanted"
            )));
        }
        self.key.public().verify(wanted, signed, &self.parsed).map_err(|_| {
            Distrust::bad(format!(
                "its signature by {} does not fit it: it was changed after it was signed, or the signature is of \
                 something else",
                self.key.fingerprint()
            ))
        })
    }

    /// What it is verified by, where that is all there is to ask; None: it has to be verified by itself.
    pub(super) fn plain(&self, wanted: &str, signed: &[u8]) -> Option<Plain> {
        let KeyData::Ed25519(key) = self.parsed.public_key() else { return None };
        let signature = self.parsed.signature_bytes().try_into().ok()?;
        let signed = SshSig::signed_data(wanted, self.parsed.hash_alg(), signed).ok()?;
        (self.parsed.namespace() == wanted).then_some(Plain { key: key.0, signature, signed })
    }

    /// The signature is of the kind that its key makes. `ssh_key` takes them apart, and would take some that are not.
    fn check_algorithm(&self) -> Result<(), Distrust> {
        let (made, key) = (self.parsed.signature().algorithm(), self.key.public().algorithm());
        match made == key {
            true => Ok(()),
            false => Err(Distrust::new(
                Code::BadAlgorithm,
                format!("a signature of the kind {made} cannot be by a key of the kind {key}"),
            )),
        }
    }

    /// A token signs for any program that asks it; what counts is a person's touch. `ssh_key` verifies the flags with the
    /// rest and looks at none of them.
    fn check_touch(&self) -> Result<(), Distrust> {
        let application = match self.key.public().key_data() {
            KeyData::SkEd25519(key) => key.application(),
            KeyData::SkEcdsaSha2NistP256(key) => key.application(),
            _ => return Ok(()),
        };
        if application != "ssh:" && !application.starts_with("ssh:") {
            let why = format!("the token's key is for {application:?}, and only keys for \"ssh:\" count");
            return Err(Distrust::new(Code::BadAlgorithm, why));
        }
        let bytes = self.parsed.signature_bytes();
        let flags = bytes.len().checked_sub(TOKEN_TRAILER).and_then(|at| bytes.get(at));
        match flags {
            Some(flags) if flags & USER_PRESENT != 0 => Ok(()),
            _ => Err(Distrust::new(
                Code::BadAlgorithm,
                "the token signed without a person's touch: sign with a key that was made without no-touch-required",
            )),
        }
    }
}

/// Whether a certificate stands where the key does. `ssh_key` cannot read such a signature, and does not say why.
fn is_certified(body: &str) -> bool {
    const CERTIFICATE: &[u8] = b"-cert-v01@openssh.com";
    let bytes = Base64::decode_vec(&body.replace('\n', "")).unwrap_or_default();
    bytes.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE)
}

/// There is one way to write a signature: `ssh_key` does not compare the lengths inside with what they hold. What it writes for
/// ECDSA on a token is not what OpenSSH writes, so of those nothing is compared; whose they are, and over what, is known
/// all the same.
fn is_canonical(parsed: &SshSig, text: &str) -> bool {
    let again = parsed.to_pem(LineEnding::LF);
    parsed.algorithm() == Algorithm::SkEcdsaSha2NistP256 || again.is_ok_and(|again| again.trim_end() == text)
}

#[cfg(test)]
mod tests;
