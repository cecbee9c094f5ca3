"""The route `handset` on a card that JACK's dummy driver plays: heard, spoken, lost and found again."""

import array
import math
import time
import wave

from kit import case, check
from peers.caller import Caller
from peers.jack import Card, Jackd, Recorder
from peers.offhook import Offhook
from rig import sound
from rig.g711 import write_wav

HANDSET = {"700": "handset"}
TONE_HZ, PEAK = 1_000, 8_000
# Windows of a recording whose levels are compared.
WINDOW_MS = 20


def tone(folder, seconds):
    """A WAV of the tone at 8 kHz."""
    path = folder / "tone.wav"
    samples = (round(PEAK * math.sin(2 * math.pi * TONE_HZ * n / 8000)) for n in range(int(seconds * 8000)))
    write_wav(str(path), [array.array("h", samples)])
    return path


def read(path):
    with wave.open(str(path), "rb") as file:
        samples = array.array("h")
        samples.frombytes(file.readframes(file.getnframes()))
        return samples, file.getframerate()


def levels(samples, rate):
    """The level of each window, as the peak of a tone."""
    size = rate * WINDOW_MS // 1000
    return [sound.level(samples[at : at + size]) * 2**0.5 for at in range(0, len(samples) - size + 1, size)]


def frequency(samples, rate):
    """By the first and the last place where it goes up through zero, and how many lie between."""
    ups = [
        at + before / (before - after)
        for at, (before, after) in enumerate(zip(samples, samples[1:]))
        if before < 0 <= after
    ]
    return (len(ups) - 1) * rate / (ups[-1] - ups[0]) if len(ups) > 1 else 0.0


def smooth(recording, what):
    """Checks pitch and level, and that there is no hole in the tone; says what was seen."""
    samples, rate = read(recording)
    heard = levels(samples, rate)
    low, high, hz = min(heard), max(heard), frequency(samples, rate)
    told = f"{what}: {len(samples) / rate:.1f} s of {hz:.2f} Hz, level {low:.0f} to {high:.0f} of {PEAK}"
    check(abs(hz - TONE_HZ) < 0.5, told)
    check(0.94 * PEAK < low and high < 1.06 * PEAK, told)
    return told


def start(ground, **settings):
    card = Card(ground)
    jackd = ground.start(Jackd(ground, card))
    offhook = ground.start(Offhook(ground, settings, routes=HANDSET, env=card.env))
    ready(offhook)
    return card, jackd, offhook


def ready(offhook, up=True, wait_s=10.0):
    """Waits until both ways of the card are up, or both are not; how long that took."""
    began = time.monotonic()
    ways = [f'offhook_sound_up{{way="{way}"}}' for way in ("speaker", "microphone")]
    while {offhook.metric(way) for way in ways} != {float(up)}:
        check(time.monotonic() - began < wait_s, f"the card is not {'up' if up else 'down'} after {wait_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


def xruns(offhook):
    return sum(offhook.metric(f'offhook_sound_xruns_total{{way="{way}"}}') for way in ("speaker", "microphone"))


@case(alone=True, limit_s=120)
def heard(ground):
    """A tone is on the card as it was sent: pitch, level, no gap, no xrun; the drift is small and known"""
    card, _, offhook = start(ground)
    said = tone(ground.folder, 32)
    caller = ground.start(Caller(ground, offhook.uri("700"), "--play", said, "--duration", "30"))
    time.sleep(4)
    before = xruns(offhook)
    told = smooth(ground.start(Recorder(ground, card, 20)).finished(), "on the card")
    drift = offhook.metric('offhook_sound_drift_ppm{way="speaker"}')
    held_ms = offhook.metric('offhook_sound_held_seconds{way="speaker"}') * 1000
    ground.say(f"{told}; drift {drift:.0f} ppm, {held_ms:.0f} ms held, {xruns(offhook) - before:.0f} xruns")
    check(xruns(offhook) == before, "there were xruns")
    check(abs(drift) < 200, f"both clocks are this machine's, and yet: {drift} ppm")
    check(caller.finished()["media"]["rx"][0]["lost"] == 0, "packets were lost")


@case(limit_s=90)
def spoken(ground):
    """What the card records is what the caller hears: a voice comes back through speaker and microphone"""
    card, _, offhook = start(ground)
    card.loop()
    said = sound.voice(ground.folder, 6)
    caller = ground.start(Caller(ground, offhook.uri("700"), "--play", f"{said}@2", "--duration", "10"))
    caller.finished()
    found = sound.compare(said, caller.record, slack_ms=120)
    ground.say(str(found))
    check(found.share > 0.9, str(found))


@case(alone=True, limit_s=120)
def lost_and_found(ground):
    """The card goes in mid-call and comes back: the call stands, and sound is back within 2 s"""
    card, jackd, offhook = start(ground)
    said = tone(ground.folder, 32)
    caller = ground.start(Caller(ground, offhook.uri("700"), "--play", said, "--duration", "30"))
    time.sleep(4)
    jackd.pull()
    gone = ready(offhook, up=False)
    check(offhook.calls() == 1, "the call ended with the card")
    time.sleep(2)
    ground.start(Jackd(ground, card, name="jackd-again"))
    back = ready(offhook)
    ground.say(f"seen to be gone after {gone:.1f} s, back {back:.1f} s after its return")
    check(back < 2.0, f"back after {back:.1f} s")
    time.sleep(2)
    ground.say(smooth(ground.start(Recorder(ground, card, 8)).finished(), "on the card again"))
    media = caller.finished()["media"]
    check(media["rx"][0]["lost"] == 0, "packets were lost")
    check(media["rx"][0]["max_gap_ms"] < 200, f"a gap of {media['rx'][0]['max_gap_ms']} ms in the call's packets")


@case(limit_s=60)
def missing(ground):
    """Without a card the service starts, says so, and answers a call to the handset with 480; other calls are taken"""
    card = Card(ground)
    offhook = ground.start(Offhook(ground, routes=HANDSET, env=card.env))
    _, page = offhook.http("/ready")
    check("sound: not ready" in page or "sound:" in page, page)
    told = ground.start(Caller(ground, offhook.uri("700"), "--duration", "2", name="refused")).finished(answered=False)
    check(told["final"] == 480, f"answered with {told['final']}")
    offhook.wait_for("a call to the handset was refused: no speaker")
    ground.start(Caller(ground, offhook.uri("600"), "--duration", "1", name="echo")).finished()


@case(limit_s=60)
def busy(ground):
    """A second call to the handset is refused while the first one stands, and taken after it"""
    _, _, offhook = start(ground)
    first = ground.start(Caller(ground, offhook.uri("700"), "--duration", "4", name="first"))
    time.sleep(1.5)
    told = ground.start(Caller(ground, offhook.uri("700"), "--duration", "1", name="second")).finished(answered=False)
    check(told["final"] == 486, f"answered with {told['final']}")
    offhook.wait_for("a call to the handset was refused: it is in a call")
    first.finished()
    ground.start(Caller(ground, offhook.uri("700"), "--duration", "1", name="third")).finished()


@case(limit_s=90)
def overheard(ground):
    """With monitor another call is heard on the card; a reload mutes it at once"""
    card, _, offhook = start(ground, sound={"monitor": "caller"})
    said = tone(ground.folder, 22)
    ground.start(Caller(ground, offhook.uri("600"), "--play", said, "--duration", "20"))
    time.sleep(4)
    smooth(ground.start(Recorder(ground, card, 4)).finished(), "overheard")
    text = offhook.config.read_text().replace('monitor = "caller"', 'monitor = "caller"\nspeaker_mute = true')
    offhook.config.write_text(text)
    offhook.wait_for("sound.speaker_mute: false -> true (live now)")
    time.sleep(0.5)
    samples, rate = read(ground.start(Recorder(ground, card, 2, name="muted")).finished())
    check(max(levels(samples, rate)) < 2, "it is heard though it is muted")
