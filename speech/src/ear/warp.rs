//! Which frame of one sound is which of another that says the same: dynamic time warping (Sakoe and Chiba, 1978). What
//! was heard is laid over the reference from the start of both, at up to twice its pace; where in it it ends is free.

use super::features::Frame;

/// What it costs more to stay at a frame of the reference, to go on to the next, and to leave one out.
const STEPS: [f32; 3] = [1.0, 0.0, 0.6];

/// Where the words of a reference are over.
#[derive(Clone, Copy)]
pub(super) struct Over {
    /// From this frame on.
    pub(super) from: usize,
    /// To end there may cost so much more than to end elsewhere: that is where most sounds end.
    pub(super) more: f32,
}

/// They are not.
pub(super) const NEVER: Over = Over { from: usize::MAX, more: 0.0 };

/// What came of it.
pub(super) struct Warped {
    /// For each frame that was heard the one of the reference.
    pub(super) path: Vec<usize>,
    /// What it costs, a frame.
    pub(super) cost: f32,
    /// The same against any two frames of the sounds: 1 is chance.
    pub(super) unlike: f32,
}

/// `None` where one of them is nothing.
pub(super) fn warp(heard: &[Frame], reference: &[Frame], over: Over) -> Option<Warped> {
    let width = reference.len();
    let (mut costs, mut next) = (vec![f32::INFINITY; width], vec![f32::INFINITY; width]);
    let mut steps = vec![0u8; width * heard.len()];
    let (mut sum, mut count) = (0.0, 0.0);
    for (n, frame) in heard.iter().enumerate() {
        let row = steps.get_mut(n * width..(n + 1) * width)?;
        // Nothing farther can be reached.
        let reach = (2 * n + 1).min(width);
        for (at, ((to, step), other)) in next.iter_mut().zip(row).zip(reference).enumerate().take(reach) {
            let mut best = if n == 0 { 0.0 } else { f32::INFINITY };
            for (back, extra) in STEPS.iter().enumerate() {
                let before = at.checked_sub(back).and_then(|at| costs.get(at));
                if let Some(cost) = before.map(|cost| cost + extra).filter(|cost| *cost < best) {
                    (best, *step) = (cost, back as u8);
                }
            }
            let own = distance(frame, other);
            (sum, count) = (sum + own, count + 1.0);
            *to = best + own;
        }
        std::mem::swap(&mut costs, &mut next);
    }
    let cheapest =
        |from: usize| costs.iter().copied().enumerate().skip(from).min_by(|(_, a), (_, b)| a.total_cmp(b));
    let (at, cost) = cheapest(0)?;
    let mut at =
        cheapest(over.from).filter(|(_, at_end)| *at_end <= cost + over.more).map_or(at, |(end, _)| end);
    let mut path = vec![0; heard.len()];
    for (n, place) in path.iter_mut().enumerate().rev() {
        *place = at;
        at = at.saturating_sub(usize::from(*steps.get(n * width + at)?));
    }
    let cost = cost / heard.len() as f32;
    let unlike = cost * count / sum.max(f32::MIN_POSITIVE);
    (cost.is_finite() && !heard.is_empty()).then_some(Warped { path, cost, unlike })
}

fn distance(a: &Frame, b: &Frame) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(heights: &[usize]) -> Vec<Frame> {
        heights.iter().map(|&at| std::array::from_fn(|n| if n == at { 5.0 } else { 0.0 })).collect()
    }

    #[test]
    fn what_is_slower_and_faster_finds_its_place_and_may_end_before_the_reference() {
        let reference = frames(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let path = |heights: &[usize]| {
            warp(&frames(heights), &reference, Over { from: 8, more: 2.0 }).map(|warped| warped.path)
        };
        assert_eq!(path(&[0, 1, 2, 3]), Some(vec![0, 1, 2, 3]));
        assert_eq!(path(&[0, 0, 1, 1, 2, 2]), Some(vec![0, 0, 1, 1, 2, 2]));
        assert_eq!(path(&[0, 2, 4, 6]), Some(vec![0, 2, 4, 6]));
    }

    #[test]
    fn what_is_unlike_the_reference_is_told() {
        let unlike = |heights: &[usize]| {
            warp(&frames(heights), &frames(&[0, 1, 2, 3, 4]), NEVER).map(|warped| warped.unlike)
        };
        assert!(unlike(&[0, 1, 2]).is_some_and(|unlike| unlike < 0.1));
        assert!(unlike(&[8, 9, 10]).is_some_and(|unlike| unlike > 0.9));
        assert!(unlike(&[]).is_none() && warp(&frames(&[1]), &[], NEVER).is_none());
    }
}
