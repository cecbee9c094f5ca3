//! How long to wait. Random, so that a thousand appliances do not come back in the same second.

use super::Down;
use crate::sip::ids::Ids;
use offhook_units::Span;

/// First wait after an outage.
const FIRST_MS: i64 = 1_000;
/// The longest wait after an outage: with the few seconds until the next repetition of a request under way, a
/// trunk is back within 30 s of its return.
const LONGEST_MS: i64 = 20_000;
/// After a refusal that is no outage (wrong password, forbidden): trying fast would get the account locked.
const REFUSED_MS: i64 = 30_000;
const LONGEST_REFUSED_MS: i64 = 300_000;
/// A Retry-After beyond this is not believed.
const LONGEST_ASKED_MS: i64 = 120_000;

/// The wait after the `failures`+1st failure in a row. `waited` is how long the trunk's other servers are waited for.
pub(super) fn retry_after(
    failures: u32,
    why: Down,
    asked: Option<Span>,
    waited: Span,
    ids: &mut Ids,
) -> Span {
    let outage_ms = (LONGEST_MS - waited.as_micros() / 1000).max(2 * FIRST_MS);
    let (first, longest) =
        if is_refusal(why) { (REFUSED_MS, LONGEST_REFUSED_MS) } else { (FIRST_MS, outage_ms) };
    let doubled = first.saturating_mul(1 << failures.min(16)).min(longest);
    let asked = asked.map_or(0, |span| (span.as_micros() / 1000).min(LONGEST_ASKED_MS));
    // Between three quarters of it and all of it; what was asked for is never undercut.
    let jittered = doubled - ids.below((doubled / 4).max(1) as u64) as i64;
    Span::from_millis(jittered.max(asked))
}

/// When to refresh a registration of `granted_s` seconds: between a half and three quarters of it, so that there
/// is time for several tries.
pub(super) fn refresh_after(granted_s: u32, ids: &mut Ids) -> Span {
    let half_ms = i64::from(granted_s) * 500;
    Span::from_millis(half_ms + ids.below((half_ms / 2).max(1) as u64) as i64)
}

fn is_refusal(why: Down) -> bool {
    match why {
        Down::WrongCredentials | Down::CannotAuthenticate => true,
        Down::Refused(status) => matches!(status.code(), 403 | 404 | 405 | 600..),
        Down::NoAnswer | Down::Unreachable | Down::NoServer => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::status::Status;

    fn waits(why: Down, count: u32) -> Vec<i64> {
        let mut ids = Ids::new([5; 32]);
        (0..count)
            .map(|failures| retry_after(failures, why, None, Span::ZERO, &mut ids).as_micros() / 1000)
            .collect()
    }

    #[test]
    fn an_outage_is_retried_ever_slower_but_never_slower_than_twenty_seconds() {
        let waits = waits(Down::NoAnswer, 100);
        for (wait, full) in
            waits.iter().zip([1000, 2000, 4000, 8000, 16_000].into_iter().chain(std::iter::repeat(20_000)))
        {
            assert!((full * 3 / 4..=full).contains(wait), "{wait} of {full}");
        }
    }

    #[test]
    fn a_trunk_of_several_servers_waits_the_less() {
        let mut ids = Ids::new([5; 32]);
        let mut wait = |ms| retry_after(20, Down::NoAnswer, None, Span::from_millis(ms), &mut ids);
        assert!(wait(16_000) <= Span::from_millis(4_000));
        assert!(wait(80_000) <= Span::from_millis(2_000));
    }

    #[test]
    fn a_refusal_is_retried_slowly_and_for_ever() {
        let waits = waits(Down::WrongCredentials, 40);
        assert!(waits[0] >= 22_500 && waits[39] <= 300_000 && waits[39] >= 225_000, "{waits:?}");
        assert!(
            is_refusal(Down::Refused(Status::FORBIDDEN)) && !is_refusal(Down::Refused(Status::SERVER_ERROR))
        );
    }

    #[test]
    fn what_the_registrar_asks_for_is_respected_within_reason() {
        let mut ids = Ids::new([5; 32]);
        let mut wait =
            |s: i64| retry_after(0, Down::NoAnswer, Some(Span::from_millis(s * 1000)), Span::ZERO, &mut ids);
        assert_eq!(wait(60), Span::from_millis(60_000));
        assert_eq!(wait(86_400), Span::from_millis(120_000));
    }

    #[test]
    fn refreshes_come_between_half_time_and_three_quarters() {
        let mut ids = Ids::new([5; 32]);
        let spread: Vec<_> =
            (0..100).map(|_| refresh_after(3600, &mut ids).as_micros() / 1_000_000).collect();
        assert!(spread.iter().all(|s| (1800..2700).contains(s)));
        assert!(spread.iter().max() != spread.iter().min());
        assert!(refresh_after(1, &mut ids) < Span::from_millis(1000));
    }
}
