"""What an ear would say of a replay: how late it is, and how good.

Delay, mouth to ear: the recording is searched for each second of the voice by normalised cross-correlation. Quality:
PESQ (ITU-T P.862, narrow band, MOS-LQO) of pieces of about 10 s, cut where the voice is quietest, each against the
stretch of the recording where it was found.
"""

import numpy as np
from pesq import NoUtterancesError, pesq
from scipy.io import wavfile
from scipy.signal import fftconvolve

RATE = 8000
WINDOW = RATE
HOP = RATE // 2
# Nothing is later than that: the engine's hard cap is 0.5 s, networks here add 0.4 at most.
FURTHEST = int(1.2 * RATE)
PIECE = 10 * RATE
FRAME = RATE // 20


def load(path):
    rate, sound = wavfile.read(path)
    if rate != RATE or sound.ndim != 1 or sound.dtype != np.int16:
        raise SystemExit(f"{path}: {rate} Hz {sound.dtype} x {sound.ndim}; expected {RATE} Hz mono 16-bit")
    return sound.astype(float)


def lags(voice, heard):
    """(position, lag) in samples, for each second of the voice in which somebody speaks and that was found."""
    loud = 0.3 * np.sqrt(np.mean(voice**2))
    found = []
    for start in range(0, len(voice) - WINDOW, HOP):
        part = voice[start : start + WINDOW]
        field = heard[start : start + WINDOW + FURTHEST]
        if np.sqrt(np.mean(part**2)) < loud or len(field) < WINDOW:
            continue
        match = fftconvolve(field, part[::-1], mode="valid")
        energy = np.cumsum(np.concatenate([[0.0], field**2]))
        norm = np.sqrt((energy[WINDOW:] - energy[:-WINDOW]) * np.sum(part**2)) + 1e-9
        likeness = match / norm
        best = int(np.argmax(likeness))
        if likeness[best] > 0.5:
            found.append((start, best))
    return found


def pieces(voice):
    """Where to cut: near every 10 s, in the middle of the quietest 200 ms there."""
    energy = np.array([np.sum(voice[i : i + 4 * FRAME] ** 2) for i in range(0, len(voice), FRAME)])
    cuts = [0]
    while cuts[-1] + 3 * PIECE // 2 < len(voice):
        first, last = (cuts[-1] + 4 * PIECE // 5) // FRAME, (cuts[-1] + 6 * PIECE // 5) // FRAME
        cuts.append((first + int(np.argmin(energy[first:last])) + 2) * FRAME)
    return list(zip(cuts, cuts[1:] + [len(voice)]))


def measure(voice_path, heard_path):
    """delay_ms, delay_p95_ms, pesq and pesq_worst of a recording."""
    voice, heard = load(voice_path), load(heard_path)
    heard = np.pad(heard, (0, max(0, len(voice) + 2 * RATE - len(heard))))
    found = lags(voice, heard)
    delays = np.array([lag for _, lag in found]) * 1000 / RATE if found else np.array([np.nan])
    marks = []
    for begin, end in pieces(voice):
        near = [lag for start, lag in found if begin - RATE <= start < end]
        lag = int(np.median(near)) if near else 0
        stretch = heard[max(0, begin + lag - RATE // 10) : end + lag + RATE // 2]
        try:
            marks.append(pesq(RATE, voice[begin:end].astype(np.int16), stretch.astype(np.int16), "nb"))
        except NoUtterancesError:
            # Nothing was heard at all: the lowest mark.
            marks.append(1.0)
    return {
        "delay_ms": float(np.median(delays)),
        "delay_p95_ms": float(np.percentile(delays, 95)),
        "pesq": float(np.mean(marks)),
        "pesq_worst": float(np.min(marks)),
    }
