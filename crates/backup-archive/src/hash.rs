//! SHA-256, HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869) in the few forms the archive needs.

use openssl::sha::{Sha256, sha256};

const BLOCK: usize = 64;

/// A running HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&sha256(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let keyed = |pad: u8| {
            let mut hash = Sha256::new();
            hash.update(&block.map(|byte| byte ^ pad));
            hash
        };
        Self {
            inner: keyed(0x36),
            outer: keyed(0x5c),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.outer.update(&self.inner.finish());
        self.outer.finish()
    }

    pub(crate) fn once(key: &[u8], bytes: &[u8]) -> [u8; 32] {
        let mut hmac = Self::new(key);
        hmac.update(bytes);
        hmac.finish()
    }
}

/// 32 bytes of HKDF-SHA256 with an empty salt.
pub(crate) fn hkdf(key: &[u8], info: &str) -> [u8; 32] {
    let extracted = Hmac::once(&[], key);
    let mut expand = Hmac::new(&extracted);
    expand.update(info.as_bytes());
    expand.update(&[1]);
    expand.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(
            hex::encode(Hmac::once(b"Jefe", b"what do ya want for nothing?")),
            expected
        );
        let long = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex::encode(Hmac::once(&[0xaa; 131], text)), long);
    }

    #[test]
    fn hkdf_matches_rfc_5869_case_3() {
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(hex::encode(hkdf(&[0x0b; 22], "")), expected);
    }
}
