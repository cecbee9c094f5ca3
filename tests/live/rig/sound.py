"""What is said and what is heard: the voice of the tests, and where a recording carries it.

Standard library only. A recording went through two G.711 encoders and maybe another program's jitter buffer and
resampler, so it is compared by correlation in windows, not sample by sample; `exact` is for echoes that owe every sample.
"""

import array
import collections
import pathlib
import struct
import wave

from rig.g711 import CODECS, read_wav, write_wav

RATE = 8000
VOICE = pathlib.Path(__file__).resolve().parents[3] / "device/assets/voice.wav"
# A window of the search, and how much of the samples of a coarse search is looked at.
WINDOW, COARSE = 2400, 8
# Delays that are tried first lie so many samples apart; a voice does not change faster.
STEP = 4
# So many 10 ms pieces of the source are enough to find it by.
OUTLINE = 250
# Below this a window is taken for a pause and not compared.
QUIET = 200


def voice(folder, seconds=4.0, start=0.0):
    """Writes a piece of the project's own voice as 16-bit WAV; returns its path."""
    data = VOICE.read_bytes()
    at = data.index(b"data")
    length = struct.unpack_from("<I", data, at + 4)[0]
    samples = CODECS["PCMU"].decode(data[at + 8 : at + 8 + length])
    first = int(start * RATE)
    path = pathlib.Path(folder, f"voice-{start:g}-{seconds:g}.wav")
    write_wav(str(path), [samples[first : first + int(seconds * RATE)]])
    return path


def heard(path):
    """A recording as 8 kHz mono, whatever its rate and channels; wave's own errors for what is no WAV."""
    with wave.open(str(path), "rb") as file:
        channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
        if width != 2:
            raise ValueError(f"{path}: {8 * width} bits a sample")
        # A recorder that was killed leaves a header without lengths; what is there counts.
        samples = array.array("h")
        frames = file.readframes(1 << 26)
        samples.frombytes(frames[: len(frames) // 2 * 2])
    samples = samples[::channels]
    if rate == RATE:
        return samples
    step = rate // RATE
    if step * RATE != rate:
        raise ValueError(f"{path}: {rate} Hz is no multiple of {RATE}")
    # A mean over `step` samples is filter enough to recognise a voice by.
    return array.array("h", [sum(samples[i : i + step]) // step for i in range(0, len(samples) - step + 1, step)])


def level(samples):
    return (sum(s * s for s in samples) / len(samples)) ** 0.5 if samples else 0.0


def likeness(one, other):
    """Normalised correlation of two stretches of the same length, from -1 to 1."""
    power = sum(a * a for a in one) * sum(b * b for b in other)
    return sum(a * b for a, b in zip(one, other)) / power**0.5 if power else 0.0


class Match:
    """Where in a recording the voice was found: the share of its loud windows, and the spread of their delays."""

    def __init__(self, found, wanted, lags):
        self.share = found / wanted if wanted else 0.0
        self.lags_ms = [lag * 1000.0 / RATE for lag in lags]

    def __str__(self):
        spread = f", delays {min(self.lags_ms):.1f} to {max(self.lags_ms):.1f} ms" if self.lags_ms else ""
        return f"{self.share:.0%} of the voice found{spread}"


def compare(source, recording, until_s=None, at_least=0.85, slack_ms=80):
    """How much of `source` (a path) is in `recording` (a path), window by window, each within `slack_ms` of the delay
    of the one before it. The windows are 0.3 s; a window counts when it correlates by `at_least`. `until_s`: only so much of
    the source, when the call did not last as long."""
    src, rec = heard(source), heard(recording)
    if until_s is not None:
        src = src[: int(until_s * RATE)]
    windows = [i for i in range(0, len(src) - WINDOW + 1, WINDOW) if level(src[i : i + WINDOW]) > QUIET]
    lag, slack, lags = _overall(src, rec), slack_ms * RATE // 1000, []
    for at in windows:
        best, found = _search(src[at : at + WINDOW], at, rec, range(lag - slack, lag + slack, STEP))
        if best >= at_least:
            lag = found
            lags.append(found)
    return Match(len(lags), len(windows), lags)


def _overall(src, rec):
    """The delay of the whole, from the loudness of each 10 ms over the first seconds."""
    step = RATE // 100
    one, other = ([level(s[i : i + step]) for i in range(0, len(s) - step + 1, step)] for s in (src, rec))
    one = one[:OUTLINE]
    fits = range(-len(one) // 4, len(other) - len(one) // 2)
    return step * max(fits, key=lambda lag: _outline(one, other, lag), default=0)


def _outline(one, other, lag):
    """How alike two courses of loudness are; what overlaps little counts less."""
    pieces = one[max(0, -lag) :], other[max(0, lag) : max(0, len(one) + lag)]
    length = min(map(len, pieces))
    return likeness(pieces[0][:length], pieces[1][:length]) * (length / len(one)) ** 0.5


def _search(piece, at, rec, lags):
    """The best likeness of `piece`, which stood at `at`, over these delays: on every eighth sample first."""
    thin = piece[::COARSE]
    fits = [lag for lag in lags if 0 <= at + lag <= len(rec) - WINDOW]
    coarse = sorted(((likeness(thin, rec[at + lag : at + lag + WINDOW : COARSE]), lag) for lag in fits), reverse=True)
    best = (0.0, 0)
    for _, lag in coarse[:3]:
        for fine in range(lag - STEP // 2, lag + STEP // 2 + 1):
            if 0 <= at + fine <= len(rec) - WINDOW:
                best = max(best, (likeness(piece, rec[at + fine : at + fine + WINDOW]), fine))
    return best


def exact(source, recording, codec="PCMU", around_ms=200):
    """For an echo: the share of the source's 20 ms packets that come back bit by bit as one G.711 round trip leaves
    them, each within `around_ms` of the usual delay. A buffer that stretches costs the packets at the splice only."""
    law = CODECS[codec]
    src, data = law.decode(law.encode(read_wav(str(source)))), heard(recording).tobytes()
    step, around = RATE // 50, around_ms * RATE // 1000
    loud = [
        (at, src[at : at + step].tobytes())
        for at in range(0, len(src) - step + 1, step)
        if level(src[at : at + step]) > QUIET
    ]
    votes = collections.Counter(place // 2 - at for at, piece in loud if (place := data.find(piece)) >= 0)
    if not votes:
        return 0.0
    usual = votes.most_common(1)[0][0]
    there = sum(data.find(piece, 2 * max(0, at + usual - around), 2 * (at + usual + around)) >= 0 for at, piece in loud)
    return there / len(loud)
