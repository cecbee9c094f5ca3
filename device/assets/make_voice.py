#!/usr/bin/env python3
"""Makes device/assets/voice.wav, the voice of `offhook demo`, from voice.txt.

    make score ARGS="device/assets/make_voice.py path/to/offhook"

flite's `slt` speaks (`offhook say`), at 16 kHz; the result is brought to 8 kHz, to a level of -23 dBFS while it
speaks, and to mu-law (G.711), which is what a trunk would make of it.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

HERE = pathlib.Path(__file__).resolve().parent
RATE = 8000
LEVEL_DBFS = -23.0


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "offhook"
    with tempfile.TemporaryDirectory() as scratch:
        spoken = pathlib.Path(scratch, "spoken.wav")
        text = (HERE / "voice.txt").read_text(encoding="utf-8").strip()
        subprocess.run([program, "say", text, "--wav", spoken, "--voice", "flite"], check=True)
        rate, sound = wavfile.read(spoken)
    sound = resample_poly(sound.astype(float) / 32768, RATE, rate)
    # Silence before and after, so that the first word meets a call that has begun.
    sound = np.concatenate([np.zeros(RATE // 2), sound, np.zeros(RATE // 2)])
    active = sound[np.abs(sound) > 0.01]
    sound *= 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(active**2))
    characters = mu_law(np.clip(np.round(sound * 32768), -32768, 32767).astype(int))
    (HERE / "voice.wav").write_bytes(wav(characters))
    print(f"{len(characters) / RATE:.1f} s, peak {np.abs(sound).max():.2f} of full scale")


def mu_law(samples):
    """G.711 table 2a: an exponent of three bits, a mantissa of four, all inverted."""
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    return (~(np.where(samples < 0, 0x80, 0) | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)


def wav(characters):
    data = characters.tobytes()
    form = struct.pack("<HHIIHHH", 7, 1, RATE, RATE, 1, 8, 0)
    fact = struct.pack("<I", len(data))
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"fmt ", form), (b"fact", fact), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


main()
