//! How many cases a property is tried on: `PROPTEST_CASES` where it is set (an emulated machine is fifty times
//! slower), else what the property asks for.

pub(crate) fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}
