"""Voices to be sent: 8 kHz, mono, 16-bit, one level.

`slt` and `espeak` speak text.txt with the voices on this device, by `offhook say`. `allison` is a person: prompts of
Debian's package asterisk-core-sounds-en-wav, where it is installed; nothing of it is kept in the project.
"""

import pathlib
import random
import subprocess

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

RATE = 8000
# RMS of the parts that are loud enough to be speech.
LEVEL_DBFS = -26.0
TEXT = pathlib.Path(__file__).with_name("text.txt")
PROMPTS = pathlib.Path("/usr/share/asterisk/sounds/en_US_f_Allison")


def spoken(program, voice, path):
    text = TEXT.read_text(encoding="utf-8").strip()
    subprocess.run([program, "say", text, "--wav", path, "--voice", voice], check=True, stdout=subprocess.DEVNULL)
    rate, sound = wavfile.read(path)
    common = np.gcd(rate, RATE)
    return resample_poly(sound / 32768, RATE // common, rate // common)


def slt(program, path, seconds):
    return spoken(program, "flite", path)


def espeak(program, path, seconds):
    return spoken(program, "espeak-ng", path)


def allison(program, path, seconds):
    prompts = sorted(PROMPTS.glob("*.wav"))
    random.Random(1).shuffle(prompts)
    pause = np.zeros(int(0.35 * RATE))
    parts, length = [], 0
    for prompt in prompts:
        rate, sound = wavfile.read(prompt)
        # Words and sentences; the shorter prompts are beeps and single letters.
        if rate != RATE or len(sound) < 1.5 * RATE:
            continue
        parts += [sound / 32768, pause]
        length += len(sound) + len(pause)
        if length >= seconds * RATE:
            break
    return np.concatenate(parts)


VOICES = {"slt": slt, "espeak": espeak, "allison": allison}


def available():
    """The voices that can be had here, and why the others cannot."""
    missing = {}
    if not PROMPTS.is_dir():
        missing["allison"] = "apt-get install asterisk-core-sounds-en-wav"
    return [name for name in VOICES if name not in missing], missing


def write(name, program, path, seconds):
    """Makes a voice of exactly `seconds`, repeated or cut."""
    sound = VOICES[name](program, path, seconds)
    wanted = int(seconds * RATE)
    sound = np.concatenate([np.zeros(RATE // 4), sound])
    sound = np.tile(sound, -(-wanted // len(sound)))[:wanted]
    active = sound[np.abs(sound) > 0.01]
    sound = sound * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(active**2))
    wavfile.write(path, RATE, np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16))
