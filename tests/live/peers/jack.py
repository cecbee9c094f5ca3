"""A sound card that is none: JACK's dummy driver keeps a card's time, and ALSA's plug-in makes it the default card.

What it would play can be recorded, and can be led back into its microphone. Killing the server is pulling the plug.
"""

import os
import pathlib
import subprocess
import time

from kit import Failed, check
from peers.process import Process, program

ALSA_PLUGINS = "/usr/lib/*/alsa-lib/libasound_module_pcm_jack.so"
# The plug-in connects itself with the server's ports, as a card's wires are fixed.
ALSA_CONFIG = """\
</usr/share/alsa/alsa.conf>
pcm.!default {
    type plug
    slave.pcm {
        type jack
        playback_ports { 0 system:playback_1 1 system:playback_2 }
        capture_ports { 0 system:capture_1 1 system:capture_2 }
    }
}
"""
RATE = 48_000


def need():
    """Skips, loudly, where a part of it is missing."""
    program("jackd", "jackd2")
    if not list(pathlib.Path("/").glob(ALSA_PLUGINS[1:])):
        program("ALSA's plug-in for JACK", "libasound2-plugins")


class Card:
    """The card's name, and what a program needs in its environment to find it."""

    def __init__(self, ground):
        need()
        self.server = f"offhook-{ground.port()}"
        folder = ground.place("card")
        config = folder / "asound.conf"
        config.write_text(ALSA_CONFIG)
        self.env = {
            "ALSA_CONFIG_PATH": str(config),
            "JACK_DEFAULT_SERVER": self.server,
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
        }

    def ask(self, *argv):
        """What one of JACK's small programs answers; nothing while there is no server."""
        done = subprocess.run(argv, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=10)
        return done.stdout if done.returncode == 0 else ""

    def port(self, end, wait_s=5.0):
        """Our program's port that ends so: `out_000` is what it plays, `in_000` what it records."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            for line in self.ask("jack_lsp").split():
                if line.startswith(("offhook.", "alsa-jack.")) and line.endswith(end):
                    return line
            time.sleep(0.02)
        raise Failed(f"no port {end} within {wait_s:g} s: {self.ask('jack_lsp').split()}")

    def loop(self):
        """Leads what is played back into the microphone, and nothing else."""
        played, recorded = self.port("out_000"), self.port("in_000")
        self.ask("jack_disconnect", "system:capture_1", recorded)
        check(self.ask("jack_connect", played, recorded) is not None, "the card could not be looped")


class Jackd(Process):
    """The server: the card is there while it runs."""

    def __init__(self, ground, card, name="jackd"):
        # With real-time priority where that is allowed; `-r` is without.
        argv = ["jackd", "-R", "-P", "70", "--no-mlock", "-n", card.server, "-d", "dummy", "-r", RATE, "-p", "480"]
        super().__init__(name, argv, ground.place(name), env=card.env)
        self.card = card

    def settle(self):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if not self.running():
                raise Failed(f"jackd ended with {self.child.returncode}:\n{self.tail()}")
            if "system:playback_1" in self.card.ask("jack_lsp"):
                return
            time.sleep(0.05)
        raise Failed(f"jackd is not ready after 10 s:\n{self.tail()}")

    def pull(self):
        """As a plug is pulled: no goodbye."""
        self.child.kill()
        self.child.wait()


class Recorder(Process):
    """Records what the card would play, from now on for so many seconds."""

    def __init__(self, ground, card, seconds, name="recorder"):
        folder = ground.place(name)
        self.wav, self.seconds = folder / "played.wav", seconds
        argv = ["jack_rec", "-f", self.wav, "-d", seconds, "-b", 16, card.port("out_000")]
        super().__init__(name, argv, folder, env=card.env)

    def finished(self):
        try:
            self.child.wait(self.seconds + 10)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{self.name} did not end after {self.seconds} s") from late
        check(self.wav.exists(), f"{self.name} made no recording:\n{self.tail()}")
        return self.wav
