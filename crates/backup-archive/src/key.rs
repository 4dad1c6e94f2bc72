//! The archive key and what is derived from it.

use std::fmt;
use std::sync::Arc;

use backup_core::{PipelineError, Random};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::Error;
use crate::error::wrong_key;
use crate::hash::{Hmac, hkdf};

const SALT: &[u8] = b"backup-salt-v1";
const FILE: &str = "backup-archive/1 file";
const INDEX: &str = "backup-archive/1 index";
const FINGERPRINT: &str = "backup-archive/1 fingerprint";
const SEAL: &str = "backup-archive/1 seal";
const MAC: &str = "backup-archive/1 mac ";

const NONCE: usize = 12;
const TAG: usize = 16;

/// The key of archives: 32 bytes made from a passphrase. Encrypts archives as it is; every other use has its own key,
/// derived by HKDF-SHA256. Cheap to clone. `Debug` shows the fingerprint only.
#[derive(Clone)]
pub struct ArchiveKey(Arc<Inner>);

struct Inner {
    key: SecretBox<[u8; 32]>,
    fingerprint: [u8; 16],
}

impl ArchiveKey {
    /// The key of this passphrase: scrypt with the salt `backup-salt-v1`, N = 16384, r = 8, p = 1. Takes some 50 ms and
    /// 16 MiB: make it once.
    pub fn from_passphrase(passphrase: &SecretString) -> Result<Self, Error> {
        let passphrase = passphrase.expose_secret();
        if passphrase.is_empty() {
            return Err(Error::EmptyPassphrase);
        }
        let mut key = Box::new([0; 32]);
        openssl::pkcs5::scrypt(passphrase.as_bytes(), SALT, 16384, 8, 1, 64 << 20, key.as_mut())?;
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&hkdf(key.as_ref(), FINGERPRINT)[..16]);
        Ok(Self(Arc::new(Inner {
            key: SecretBox::new(key),
            fingerprint,
        })))
    }

    /// Names the key without telling anything of it: 32 lower-case hex digits.
    pub fn fingerprint(&self) -> String {
        hex::encode(self.0.fingerprint)
    }

    /// HMAC-SHA256 of `bytes` under a key of its own for each `context`, as 64 lower-case hex digits.
    pub fn mac(&self, context: &str, bytes: &[u8]) -> String {
        hex::encode(Hmac::once(&self.derive(&format!("{MAC}{context}")), bytes))
    }

    /// Encrypts a small secret (AES-256-GCM) to text that only this key opens.
    pub fn seal(&self, plain: &[u8], random: &dyn Random) -> Result<String, Error> {
        let mut sealed = vec![0; NONCE];
        random.fill(&mut sealed).map_err(Error::Random)?;
        let mut tag = [0; TAG];
        let text = encrypt_aead(
            Cipher::aes_256_gcm(),
            &self.derive(SEAL),
            Some(&sealed),
            b"",
            plain,
            &mut tag,
        )?;
        sealed.extend_from_slice(&tag);
        sealed.extend_from_slice(&text);
        Ok(hex::encode(sealed))
    }

    /// Opens what [`Self::seal`] made; [`Error::Sealed`] where it was changed, made with another key or is not text.
    pub fn unseal(&self, sealed: &str) -> Result<SecretString, Error> {
        let sealed = hex::decode(sealed).map_err(|_| Error::Sealed)?;
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(Error::Sealed)?;
        let (tag, text) = rest.split_at_checked(TAG).ok_or(Error::Sealed)?;
        let plain = decrypt_aead(Cipher::aes_256_gcm(), &self.derive(SEAL), Some(nonce), b"", text, tag)
            .map_err(|_| Error::Sealed)?;
        String::from_utf8(plain)
            .map(SecretString::from)
            .map_err(|_| Error::Sealed)
    }

    pub(crate) fn fingerprint_bytes(&self) -> [u8; 16] {
        self.0.fingerprint
    }

    /// The cipher's key.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.key.expose_secret()
    }

    /// The MAC over the stored file.
    pub(crate) fn file_hmac(&self) -> Hmac {
        Hmac::new(&self.derive(FILE))
    }

    /// The MAC of the index root's bytes.
    pub(crate) fn index_hmac(&self, root: &[u8]) -> [u8; 32] {
        Hmac::once(&self.derive(INDEX), root)
    }

    fn derive(&self, info: &str) -> [u8; 32] {
        hkdf(self.bytes(), info)
    }
}

impl fmt::Debug for ArchiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArchiveKey({})", self.fingerprint())
    }
}

/// The current key, and the previous ones that still open older archives. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<[ArchiveKey]>);

impl Keyring {
    /// A ring of the key that new archives are made with, and older keys.
    pub fn new(current: ArchiveKey, previous: Vec<ArchiveKey>) -> Self {
        Self(std::iter::once(current).chain(previous).collect())
    }

    /// The key that new archives are made with.
    pub fn current(&self) -> &ArchiveKey {
        &self.0[0]
    }

    /// The key with this fingerprint, where it is at hand.
    pub fn find(&self, fingerprint: &str) -> Option<&ArchiveKey> {
        self.0.iter().find(|key| key.fingerprint() == fingerprint)
    }

    /// The key with this fingerprint, with which `what` (such as `the archive`) was made.
    ///
    /// # Errors
    /// `WrongKey` where it is not at hand: names it, and those that are.
    pub fn require(&self, fingerprint: &str, what: &str) -> Result<&ArchiveKey, PipelineError> {
        self.find(fingerprint)
            .ok_or_else(|| wrong_key(what, fingerprint, &self.fingerprints()))
    }

    /// Every key, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &ArchiveKey> {
        self.0.iter()
    }

    /// Opens what one of the keys has sealed; [`Error::Sealed`] where none has.
    pub fn unseal(&self, sealed: &str) -> Result<SecretString, Error> {
        self.iter().find_map(|key| key.unseal(sealed).ok()).ok_or(Error::Sealed)
    }

    /// All fingerprints, for messages.
    fn fingerprints(&self) -> String {
        let all: Vec<String> = self.0.iter().map(ArchiveKey::fingerprint).collect();
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup_core::OsRandom;

    fn key(passphrase: &str) -> ArchiveKey {
        ArchiveKey::from_passphrase(&SecretString::from(passphrase)).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_only_and_unchanged_only() {
        let key = key("one");
        let sealed = key.seal("pässword".as_bytes(), &OsRandom).unwrap();
        assert_eq!(key.unseal(&sealed).unwrap().expose_secret(), "pässword");
        assert!(matches!(super::tests::key("two").unseal(&sealed), Err(Error::Sealed)));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(key.unseal(&String::from_utf8(changed).unwrap()).is_err(), "digit {at}");
            assert!(key.unseal(&sealed[..at]).is_err());
        }
    }

    #[test]
    fn the_key_shows_itself_nowhere() {
        let key = key("one");
        let ring = Keyring::new(key.clone(), vec![super::tests::key("two")]);
        let shown = format!("{key:?} {ring:?}");
        assert!(!shown.contains(&hex::encode(key.bytes())) && shown.contains(&key.fingerprint()));
        assert!(ring.find(&super::tests::key("two").fingerprint()).is_some());
        assert!(ring.find(&super::tests::key("three").fingerprint()).is_none());
    }

    #[test]
    fn macs_differ_by_context_and_an_empty_passphrase_is_refused() {
        let key = key("one");
        assert_ne!(key.mac("receipt", b"x"), key.mac("session", b"x"));
        assert!(matches!(
            ArchiveKey::from_passphrase(&SecretString::from("")),
            Err(Error::EmptyPassphrase)
        ));
    }
}
