//! Tags, branches, Call-IDs and nonces: unguessable, from one seed, the same again for the same seed.

use super::via::MAGIC_COOKIE;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Makes identifiers. The seed comes from the system's randomness in the product and is fixed in tests.
pub struct Ids {
    seed: [u8; 32],
    count: u64,
}

impl fmt::Debug for Ids {
    /// Without the seed: who knows it knows every nonce to come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Ids {
    /// Starts from `seed`.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// A second source that shares nothing with this one but its origin.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.block())
    }

    /// A dialog tag.
    pub fn tag(&mut self) -> String {
        hex(self.block().get(..8).unwrap_or(&[]))
    }

    /// A branch, cookie included.
    pub fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{}", hex(self.block().get(..10).unwrap_or(&[])))
    }

    /// A Call-ID. It names no host: that would tell the inside of the network.
    pub fn call_id(&mut self) -> String {
        hex(self.block().get(..16).unwrap_or(&[]))
    }

    /// A client nonce.
    pub fn cnonce(&mut self) -> String {
        hex(self.block().get(..16).unwrap_or(&[]))
    }

    /// `length` random bytes, for keys.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 32);
        while out.len() < length {
            out.extend_from_slice(&self.block());
        }
        out.truncate(length);
        out
    }

    /// A number below `bound`, for jitter.
    pub fn below(&mut self, bound: u64) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        u64::from_be_bytes([a, b, c, d, e, f, g, h]).checked_rem(bound).unwrap_or(0)
    }

    /// A tag that depends on `text` and the seed alone: what is answered without state is answered the same way
    /// again (RFC 3261 8.2.7).
    pub fn stateless_tag(&self, text: &str) -> String {
        let hash = Sha256::new().chain_update(self.seed).chain_update(b"tag").chain_update(text).finalize();
        hex(hash.get(..8).unwrap_or(&[]))
    }

    fn block(&mut self) -> [u8; 32] {
        self.count += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.count.to_be_bytes()).finalize().into()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        out.extend([b >> 4, b & 15].map(|n| char::from_digit(n.into(), 16).unwrap_or('0')));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names_and_no_name_twice() {
        let (mut a, mut b) = (Ids::new([7; 32]), Ids::new([7; 32]));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let tag = a.tag();
            assert_eq!(tag, b.tag());
            assert!(seen.insert(tag));
        }
        assert_ne!(a.fork().tag(), b.tag());
    }

    #[test]
    fn debug_output_keeps_the_seed() {
        assert!(!format!("{:?}", Ids::new([0xAB; 32])).contains("171"));
    }
}
