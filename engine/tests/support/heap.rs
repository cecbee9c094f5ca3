//! A heap that counts. A test program makes it its own:
//!
//! ```text
//! #[global_allocator]
//! static HEAP: Counting = Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// Hands everything on to the system and counts what its own thread does while armed, and what all of them hold.
#[derive(Debug)]
pub struct Counting;

/// What one thread asked of the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    pub allocated: u64,
    pub grown: u64,
    pub freed: u64,
    /// Bytes that were allocated, less those freed.
    pub bytes: i64,
}

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static TOUCHES: Cell<Touches> = const { Cell::new(Touches { allocated: 0, grown: 0, freed: 0, bytes: 0 }) };
}

/// Bytes that all threads hold.
static HELD: AtomicI64 = AtomicI64::new(0);

fn note(bytes: i64, change: impl FnOnce(&mut Touches)) {
    HELD.fetch_add(bytes, Ordering::Relaxed);
    if ARMED.get() {
        let mut touches = TOUCHES.get();
        change(&mut touches);
        TOUCHES.set(touches);
    }
}

// SAFETY: every call is handed on unchanged to the system's allocator; the counters are plain thread-local values
// that need no heap of their own.
#[allow(unsafe_code, reason = "a global allocator cannot be had without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size() as i64;
        note(size, |t| (t.allocated, t.bytes) = (t.allocated + 1, t.bytes + size));
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let size = layout.size() as i64;
        note(size, |t| (t.allocated, t.bytes) = (t.allocated + 1, t.bytes + size));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let size = layout.size() as i64;
        note(-size, |t| (t.freed, t.bytes) = (t.freed + 1, t.bytes - size));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let more = size as i64 - layout.size() as i64;
        note(more, |t| (t.grown, t.bytes) = (t.grown + 1, t.bytes + more));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread asks of the heap while `work` runs.
#[allow(dead_code, reason = "each test program uses some of this")]
pub fn touches<T>(work: impl FnOnce() -> T) -> (Touches, T) {
    TOUCHES.set(Touches::default());
    ARMED.set(true);
    let result = work();
    ARMED.set(false);
    (TOUCHES.get(), result)
}

/// Bytes that all threads of the program hold.
#[allow(dead_code, reason = "each test program uses some of this")]
pub fn held() -> i64 {
    HELD.load(Ordering::Relaxed)
}
