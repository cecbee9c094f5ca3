#!/usr/bin/env python3
"""Makes speech/assets/*.ulaw, the prompts that are built into the program, from prompts.txt. Needs flite.

    python3 speech/assets/make_prompts.py

flite's `slt` speaks at 16 kHz; each second sample is left out behind a low-pass filter, silence at both ends is cut,
the level is brought to -23 dBFS, and what is left is written as G.711 mu-law without a header.
"""

import math
import pathlib
import struct
import subprocess
import tempfile
import wave

HERE = pathlib.Path(__file__).resolve().parent
LEVEL_DBFS = -23.0
# Half of the filter, in samples at 16 kHz; it ends at 3.6 kHz.
HALF, CUTOFF = 48, 3600 / 16000


def spoken(text):
    with tempfile.TemporaryDirectory() as scratch:
        path = str(pathlib.Path(scratch, "spoken.wav"))
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
        with wave.open(path, "rb") as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
            data = sound.readframes(sound.getnframes())
    return [sample / 32768 for sample in struct.unpack(f"<{len(data) // 2}h", data)]


def halved(sound):
    def weight(n):
        sinc = 2 * CUTOFF if n == 0 else math.sin(2 * math.pi * CUTOFF * n) / (math.pi * n)
        return sinc * (0.5 + 0.5 * math.cos(math.pi * n / HALF))

    taps = [weight(n) for n in range(-HALF, HALF + 1)]
    padded = [0.0] * HALF + sound + [0.0] * HALF
    return [sum(tap * padded[at + n] for n, tap in enumerate(taps)) for at in range(0, len(sound), 2)]


def mu_law(sample):
    """G.711 table 2a: an exponent of three bits, a mantissa of four, all inverted."""
    value = max(-32635, min(32635, round(sample * 32768)))
    magnitude = abs(value) + 132
    exponent = magnitude.bit_length() - 8
    return ~((0x80 if value < 0 else 0) | exponent << 4 | magnitude >> exponent + 3 & 15) & 0xFF


def main():
    total = 0
    for line in (HERE / "prompts.txt").read_text(encoding="utf-8").splitlines():
        name, text = line.split("\t")
        sound = halved(spoken(text))
        loud = [n for n, sample in enumerate(sound) if abs(sample) > 0.004]
        sound = sound[max(0, loud[0] - 80):loud[-1] + 240]
        active = [sample for sample in sound if abs(sample) > 0.01]
        gain = 10 ** (LEVEL_DBFS / 20) / math.sqrt(sum(sample * sample for sample in active) / len(active))
        data = bytes(mu_law(sample * gain) for sample in sound)
        (HERE / f"{name}.ulaw").write_bytes(data)
        total += len(data)
        print(f"{name}: {len(data) / 8000:.2f} s")
    print(f"{total} bytes in all")


main()
