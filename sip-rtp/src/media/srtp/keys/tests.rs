use super::*;

fn hex(text: &str) -> std::vec::Vec<u8> {
    let digits: std::vec::Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The key stream of a session key and the salt F0..FD for SSRC 0 and index 0, at block `block`.
fn keystream(key: &str, block: usize) -> std::vec::Vec<u8> {
    let salt: [u8; SALT] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
    let keys = SessionKeys { cipher: BlockCipher::new(&hex(key)), auth: keyed(&[0; 20]), salt };
    let mut data = vec![0; 16 * (block + 1)];
    keys.crypt(0, 0, &mut data);
    data[16 * block..].to_vec()
}

#[test]
fn aes_128_counter_mode_gives_the_key_stream_of_rfc_3711_b2() {
    let key = "2B7E151628AED2A6ABF7158809CF4F3C";
    for (block, expected) in [
        (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
        (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
        (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
        (0xFEFF, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
        (0xFF00, "362B7C3C6773516318A077D7FC5073AE"),
        (0xFF01, "6A2CC3787889374FBEB4C81B17BA6C44"),
    ] {
        assert_eq!(keystream(key, block), hex(expected), "block {block:#x}");
    }
}

#[test]
fn aes_256_counter_mode_gives_the_key_stream_of_rfc_6188_7_1() {
    let key = "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98";
    for (block, expected) in [
        (0, "92bdd28a93c3f52511c677d08b5515a4"),
        (1, "9da71b2378a854f67050756ded165bac"),
        (2, "63c4868b7096d88421b563b8c94c9a31"),
        (0xFEFF, "cea518c90fd91ced9cbb18c078a54711"),
        (0xFF00, "3dbc4814f4da5f00a08772b63c6a046d"),
        (0xFF01, "6eb246913062a16891433e97dd01a57f"),
    ] {
        assert_eq!(keystream(key, block), hex(expected), "block {block:#x}");
    }
}

/// The session keys of `inline`, seen through what they do: the cipher key by its first key stream.
fn check_derivation(suite: Suite, inline: &str, cipher: &str, salt: &str, auth: &str) {
    let keys = MasterKey::new(suite, &hex(inline), &[]).unwrap().rtp();
    assert_eq!(keys.salt.to_vec(), hex(salt));
    let expected = SessionKeys {
        cipher: BlockCipher::new(&hex(cipher)),
        auth: keyed(&hex(auth).try_into().unwrap()),
        salt: keys.salt,
    };
    let (mut ours, mut theirs) = ([0; 40], [0; 40]);
    keys.crypt(1, 2, &mut ours);
    expected.crypt(1, 2, &mut theirs);
    assert_eq!(ours, theirs, "cipher key");
    keys.sign(b"packet", b"roc", &mut ours);
    assert!(expected.verify(b"packet", b"roc", &ours[..20]), "authentication key");
}

#[test]
fn session_keys_are_those_of_rfc_3711_b3() {
    check_derivation(
        Suite::Aes128Sha1_80,
        "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6",
        "C61E7A93744F39EE10734AFE3FF7A087",
        "30CBBC08863D8C85D49DB34A9AE1",
        "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
    );
}

#[test]
fn session_keys_are_those_of_rfc_6188_7_2() {
    check_derivation(
        Suite::Aes256Sha1_80,
        "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
        "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
        "fa31791685ca444a9e07c6c64e93",
        "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
    );
}

#[test]
fn keys_of_a_wrong_length_are_refused() {
    for suite in Suite::ALL {
        let right = suite.key_and_salt_len();
        for found in [0, 1, right - 1, right + 1] {
            let error = KeyError::Length { expected: right, found };
            assert_eq!(MasterKey::new(suite, &vec![1; found], &[]), Err(error));
        }
        assert_eq!(MasterKey::new(suite, &vec![1; right], &[0; 9]), Err(KeyError::LongIdentifier));
        let key = MasterKey::new(suite, &vec![1; right], &[1]).unwrap();
        assert_eq!(format!("{key:?}"), format!("MasterKey {{ suite: {suite:?}, .. }}"));
    }
}

#[test]
fn suites_are_known_by_name() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_name(&suite.name().to_lowercase()), Some(suite));
    }
    assert_eq!(Suite::from_name("F8_128_HMAC_SHA1_80"), None);
}
