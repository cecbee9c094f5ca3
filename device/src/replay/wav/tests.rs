use super::*;
use proptest::prelude::*;

/// A chunk with its stated length.
fn chunk(name: &[u8; 4], stated: u32, body: &[u8]) -> Vec<u8> {
    [&name[..], &stated.to_le_bytes(), body].concat()
}

fn format_chunk(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits / 8;
    let fields: [&[u8]; 6] = [
        &tag.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &(rate_hz * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &bits.to_le_bytes(),
    ];
    chunk(b"fmt ", 16, &fields.concat())
}

fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"RIFF\x00\x00\x00\x00WAVE"[..], &chunks.concat()].concat()
}

fn usual() -> Vec<u8> {
    format_chunk(PCM, 1, 8_000, 16)
}

fn fault(chunks: &[Vec<u8>]) -> (usize, String) {
    let error = read(&file(chunks)).unwrap_err();
    (error.at, error.fault.to_string())
}

#[test]
fn samples_and_rate_come_out() {
    let data = chunk(b"data", 4, &[1, 0, 0xFF, 0xFF]);
    assert_eq!(read(&file(&[usual(), data.clone()])), Ok((vec![1, -1], SampleRate::HZ_8000)));
    let wide = format_chunk(PCM, 1, 16_000, 16);
    assert_eq!(read(&file(&[wide, data])).map(|(_, rate)| rate), Ok(SampleRate::HZ_16000));
}

#[test]
fn companded_files_are_decoded() {
    let data = chunk(b"data", 2, &[0x00, 0xFF]);
    assert_eq!(read(&file(&[format_chunk(MU_LAW, 1, 8_000, 8), data.clone()])).unwrap().0, [-32_124, 0]);
    assert_eq!(read(&file(&[format_chunk(A_LAW, 1, 8_000, 8), data])).unwrap().0, [-5_504, 848]);
}

#[test]
fn other_parts_are_passed_over_with_their_padding() {
    let chunks = [chunk(b"LIST", 3, b"abc\0"), usual(), chunk(b"data", 2, &[7, 0]), chunk(b"id3 ", 99, b"x")];
    assert_eq!(read(&file(&chunks)).unwrap().0, [7], "what follows the audio is not looked at");
}

#[test]
fn an_extensible_format_is_read_by_its_own_tag() {
    let mut body = format_chunk(EXTENSIBLE, 1, 8_000, 16).split_off(8);
    body.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    let chunks = [chunk(b"fmt ", 40, &body), chunk(b"data", 2, &[7, 0])];
    assert_eq!(read(&file(&chunks)).unwrap().0, [7]);
}

#[test]
fn a_length_that_was_never_filled_in_means_to_the_end() {
    assert_eq!(read(&file(&[usual(), chunk(b"data", u32::MAX, &[7, 0, 8, 0])])).unwrap().0, [7, 8]);
}

#[test]
fn each_fault_names_its_place_and_what_was_expected() {
    let data = chunk(b"data", 2, &[7, 0]);
    assert_eq!(read(b"").unwrap_err().fault, WavFault::NotWav);
    assert_eq!(read(b"seq,send_ms,arrive_ms").unwrap_err().fault, WavFault::NotWav);
    assert!(fault(&[]).1.contains("expected a part \"fmt \""));
    assert!(fault(std::slice::from_ref(&data)).1.contains("expected a part \"fmt \""));
    assert!(fault(&[usual()]).1.contains("expected a part \"data\""));
    assert_eq!(
        fault(&[usual(), chunk(b"data", 0, b"")]),
        (44, "no audio inside; expected at least one sample".into())
    );
    let (at, text) = fault(&[usual(), chunk(b"data", 100, &[1, 2, 3])]);
    assert_eq!((at, &*text), (44, "cut short: expected 100 bytes here, as stated, and 3 are left"));
    assert!(fault(&[usual(), chunk(b"data", 3, &[1, 2, 3])]).1.contains("half a sample"));
    assert!(
        fault(&[chunk(b"fmt ", 4, &[1, 0, 1, 0]), data.clone()]).1.contains("cut short: expected 16 bytes")
    );
    assert!(fault(&[format_chunk(0x11, 1, 8_000, 4), data.clone()]).1.contains("compressed with format 17"));
    let (_, text) = fault(&[format_chunk(PCM, 2, 44_100, 16), data.clone()]);
    assert!(text.starts_with("44100 Hz stereo 16-bit: expected mono 16-bit at 8000"), "{text}");
    assert!(fault(&[format_chunk(FLOAT, 1, 8_000, 32), data]).1.starts_with("8000 Hz mono float: expected"));
}

proptest! {
    #[test]
    fn any_bytes_are_audio_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), headed: bool) {
        let mut text = if headed { file(&[usual()]) } else { Vec::new() };
        text.extend(bytes);
        let _ = read(&text);
    }

    #[test]
    fn every_cut_of_a_file_is_told(cut in 0usize..52) {
        let whole = file(&[usual(), chunk(b"data", 8, &[0; 8])]);
        prop_assert_eq!(whole.len(), 52);
        prop_assert!(read(&whole[..cut]).is_err());
    }
}
