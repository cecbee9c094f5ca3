//! Real time, proven: after construction neither codecs nor rate conversion touch the heap.

use offhook_engine::codec::{Decoder, Encoder};
use offhook_engine::rate::{Converter, RATES};
use offhook_units::Codec;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Of this thread alone: the test harness has others.
    static TOUCHES: Cell<u64> = const { Cell::new(0) };
}

fn touch() {
    TOUCHES.with(|touches| touches.set(touches.get() + 1));
}

// SAFETY: every call is handed on unchanged to the system's allocator.
#[allow(unsafe_code, reason = "a global allocator cannot be had without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touch();
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and frees while `work` runs.
fn touches(work: impl FnOnce()) -> u64 {
    let before = TOUCHES.with(Cell::get);
    work();
    TOUCHES.with(Cell::get) - before
}

/// A voice-like buzz, so that every codec has something to do.
fn buzz(frames: usize, at: usize) -> impl Iterator<Item = i16> {
    (at..at + frames).map(|i| ((i * i % 977) as i16 - 488) * 8 + ((i % 160) as i16 - 80) * 60)
}

#[test]
fn nothing_is_allocated_or_freed_after_construction() {
    assert!(touches(|| drop(std::hint::black_box(Box::new(1)))) >= 2, "the counter counts");
    for codec in Codec::ALL {
        for packet_ms in [10, 20, 40, 60] {
            let frames = codec.sample_rate().frames_in_ms(packet_ms);
            let mut encoder = Encoder::new(codec).expect("starts");
            let mut decoder = Decoder::new(codec).expect("starts");
            let (mut pcm, mut out, mut payload) = ([0; 5760], [0; 5760], [0; 1500]);
            let mut decoded = 0;
            let count = touches(|| {
                for packet in 0..50 {
                    pcm.iter_mut().zip(buzz(frames, packet * frames)).for_each(|(to, from)| *to = from);
                    let Ok(bytes) = encoder.encode(&pcm[..frames], &mut payload) else { break };
                    let payload = &payload[..bytes];
                    match packet % 10 {
                        3 => _ = decoder.conceal(&mut out[..frames]),
                        5 => _ = decoder.recover(payload, &mut out[..frames]),
                        7 => _ = decoder.decode(&payload[..bytes / 2], &mut out),
                        8 => decoder.reset(),
                        _ => decoded += decoder.decode(payload, &mut out).unwrap_or(0),
                    }
                }
            });
            assert_eq!(count, 0, "{codec} at {packet_ms} ms");
            assert_eq!(decoded, 30 * frames, "{codec} at {packet_ms} ms did its work");
        }
    }
    for from in RATES {
        for to in RATES {
            let mut converter = Converter::new(from, to).expect("one of ours");
            let (mut pcm, mut out, mut produced) = ([0; 960], [0; 5760], 0);
            let count = touches(|| {
                for tick in 0..200 {
                    let frames = [from.frames_in_ms(10), 1, 960, 7][tick % 4];
                    pcm.iter_mut().zip(buzz(frames, tick)).for_each(|(to, from)| *to = from);
                    produced += converter.process(&pcm[..frames], &mut out).produced;
                }
                produced += converter.flush(&mut out);
            });
            assert_eq!(count, 0, "{} to {} Hz", from.hz(), to.hz());
            assert!(produced > 0);
        }
    }
}
