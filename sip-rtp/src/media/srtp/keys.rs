//! From a master key to session keys (RFC 3711 4.3, RFC 6188 3), and what those do to a packet.

use aes::{
    Aes128, Aes256,
    cipher::{InnerIvInit, KeyInit, StreamCipherCore},
};
use ctr::{CtrCore, flavors::Ctr128BE};
use heapless::Vec;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::fmt;

/// A crypto suite of SDP (RFC 4568 6.2, RFC 6188 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`, which every implementation has.
    Aes128Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    Aes128Sha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    Aes256Sha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    Aes256Sha1_32,
}

impl Suite {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] =
        [Self::Aes256Sha1_80, Self::Aes128Sha1_80, Self::Aes256Sha1_32, Self::Aes128Sha1_32];
    /// SRTCP's tag, whatever the suite (RFC 4568 6.2.2: the 32 bits are for SRTP only).
    pub const RTCP_TAG: usize = 10;

    /// The name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Aes128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Aes256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Aes256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Sha1_80 | Self::Aes128Sha1_32 => 16,
            Self::Aes256Sha1_80 | Self::Aes256Sha1_32 => 32,
        }
    }

    /// Bytes of master key and salt together, as `inline:` carries them.
    pub const fn key_and_salt_len(self) -> usize {
        self.key_len() + SALT
    }

    /// Bytes of the tag behind an RTP packet.
    pub const fn rtp_tag(self) -> usize {
        match self {
            Self::Aes128Sha1_80 | Self::Aes256Sha1_80 => 10,
            Self::Aes128Sha1_32 | Self::Aes256Sha1_32 => 4,
        }
    }
}

/// Bytes of master and session salts.
const SALT: usize = 14;
/// Bytes of a session's authentication key (RFC 3711 5.2).
const AUTH_KEY: usize = 20;

/// A master key with its salt and, if SDP gave one, its identifier. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    key: Vec<u8, 32>,
    salt: [u8; SALT],
    mki: Vec<u8, { Self::MOST_MKI }>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Why key material does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Key and salt have another length than their suite wants.
    Length {
        /// Bytes that the suite wants.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The key identifier is longer than [`MasterKey::MOST_MKI`].
    LongIdentifier,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "key and salt have {found} bytes, the suite wants {expected}")
            }
            Self::LongIdentifier => {
                write!(f, "the key identifier is longer than {} bytes", MasterKey::MOST_MKI)
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl MasterKey {
    /// Longest key identifier (MKI) that is taken; the few that are seen have one byte or four.
    pub const MOST_MKI: usize = 8;

    /// The key for `suite` from the bytes behind `inline:`, key first; `mki` is empty when SDP gave none.
    ///
    /// # Errors
    /// [`KeyError`] when a length is wrong.
    pub fn new(suite: Suite, key_and_salt: &[u8], mki: &[u8]) -> Result<Self, KeyError> {
        let wrong = KeyError::Length { expected: suite.key_and_salt_len(), found: key_and_salt.len() };
        let (key, salt) = key_and_salt.split_at_checked(suite.key_len()).ok_or(wrong)?;
        Ok(Self {
            suite,
            key: Vec::from_slice(key).map_err(|_| wrong)?,
            salt: salt.try_into().map_err(|_| wrong)?,
            mki: Vec::from_slice(mki).map_err(|_| KeyError::LongIdentifier)?,
        })
    }

    /// Its suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn mki(&self) -> &[u8] {
        &self.mki
    }

    /// The session keys for RTP.
    pub(super) fn rtp(&self) -> SessionKeys {
        self.session([0, 1, 2])
    }

    /// The session keys for RTCP.
    pub(super) fn rtcp(&self) -> SessionKeys {
        self.session([3, 4, 5])
    }

    /// RFC 3711 4.3.1 and 4.3.2; the derivation rate is zero, as SDP's default is.
    fn session(&self, [cipher, auth, salt]: [u8; 3]) -> SessionKeys {
        let master = BlockCipher::new(&self.key);
        let derive = |label: u8, out: &mut [u8]| {
            let mut iv = padded(&self.salt);
            iv[7] ^= label;
            out.fill(0);
            master.apply(iv, out);
        };
        let mut key = [0; 32];
        let key = &mut key[..self.key.len()];
        derive(cipher, key);
        let mut auth_key = [0; AUTH_KEY];
        derive(auth, &mut auth_key);
        let mut session_salt = [0; SALT];
        derive(salt, &mut session_salt);
        SessionKeys { cipher: BlockCipher::new(key), auth: keyed(&auth_key), salt: session_salt }
    }
}

/// A salt as the upper bytes of a counter block.
fn padded(salt: &[u8; SALT]) -> [u8; 16] {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(salt) {
        *to = *from;
    }
    block
}

/// An HMAC ready for a packet. RFC 2104 fills a key up to a block of the hash with zeros: done here, so that
/// there is no length to be wrong.
fn keyed(key: &[u8; AUTH_KEY]) -> Hmac<Sha1> {
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new(&block.into())
}

/// AES with its round keys, made once.
#[derive(Clone)]
enum BlockCipher {
    Aes128(Aes128),
    Aes256(Aes256),
}

impl BlockCipher {
    /// `key` has 16 or 32 bytes: [`MasterKey::new`] has seen to it.
    fn new(key: &[u8]) -> Self {
        let mut long = [0; 32];
        for (to, from) in long.iter_mut().zip(key) {
            *to = *from;
        }
        match long.first_chunk::<16>() {
            Some(short) if key.len() == 16 => Self::Aes128(Aes128::new(&(*short).into())),
            _ => Self::Aes256(Aes256::new(&long.into())),
        }
    }

    /// AES in counter mode (RFC 3711 4.1.1): the same both ways.
    fn apply(&self, iv: [u8; 16], data: &mut [u8]) {
        let iv = iv.into();
        match self {
            Self::Aes128(aes) => {
                CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &iv).apply_keystream_partial(data.into());
            }
            Self::Aes256(aes) => {
                CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &iv).apply_keystream_partial(data.into());
            }
        }
    }
}

/// What encrypts and authenticates the RTP, or the RTCP, of one direction.
#[derive(Clone)]
pub(super) struct SessionKeys {
    cipher: BlockCipher,
    auth: Hmac<Sha1>,
    salt: [u8; SALT],
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys([redacted])")
    }
}

impl SessionKeys {
    /// Encrypts or decrypts (RFC 3711 4.1.1). `index` has 48 bits for RTP, 31 for RTCP.
    pub(super) fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = padded(&self.salt);
        let mix = u128::from(ssrc) << 64 | u128::from(index) << 16;
        for (byte, mix) in iv.iter_mut().zip(mix.to_be_bytes()) {
            *byte ^= mix;
        }
        self.cipher.apply(iv, data);
    }

    fn mac(&self, packet: &[u8], trailer: &[u8]) -> Hmac<Sha1> {
        let mut mac = self.auth.clone();
        mac.update(packet);
        mac.update(trailer);
        mac
    }

    /// Writes as much of the tag as `tag` holds.
    pub(super) fn sign(&self, packet: &[u8], trailer: &[u8], tag: &mut [u8]) {
        let whole = self.mac(packet, trailer).finalize().into_bytes();
        for (to, from) in tag.iter_mut().zip(whole) {
            *to = from;
        }
    }

    /// Whether `tag` is right, in a time that does not depend on how wrong it is.
    pub(super) fn verify(&self, packet: &[u8], trailer: &[u8], tag: &[u8]) -> bool {
        self.mac(packet, trailer).verify_truncated_left(tag).is_ok()
    }
}

#[cfg(test)]
mod tests;
