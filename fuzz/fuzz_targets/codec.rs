//! Any payload whatever: samples or an error, never more than was said.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_engine::codec::Decoder;
use offhook_fuzz::AnyCodec;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Decode(&'a [u8]),
    Recover(&'a [u8], u16),
    Conceal(u16),
    Reset,
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    codec: AnyCodec,
    acts: Vec<Act<'a>>,
}

fuzz_target!(|input: Input<'_>| {
    let Ok(mut decoder) = Decoder::new(input.codec.into()) else { return };
    let mut out = [0; 5_760];
    for act in input.acts.iter().take(50) {
        match act {
            Act::Decode(payload) => {
                let said = decoder.frames_in(payload);
                if let Ok(frames) = decoder.decode(payload, &mut out) {
                    assert_eq!(said, Some(frames));
                }
            }
            Act::Recover(payload, frames) => {
                let frames = usize::from(*frames) % out.len();
                let filled = decoder.recover(payload, &mut out[..frames]);
                assert!(filled.is_none_or(|filled| filled <= frames));
            }
            Act::Conceal(frames) => {
                let frames = usize::from(*frames) % out.len();
                let filled = decoder.conceal(&mut out[..frames]);
                assert!(filled.is_none_or(|filled| filled <= frames));
            }
            Act::Reset => decoder.reset(),
        }
    }
});
