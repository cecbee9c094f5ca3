"""baresip (package baresip-core), without a screen and without a sound card.

It plays a WAV file as its voice, records what it hears, and is told what to do over its own control socket.
"""

import json
import pathlib
import socket
import time

from kit import Failed, Skipped
from peers.process import Process, program

MODULES = ("aufile", "sndfile", "g711", "g722", "opus", "srtp", "stun", "account", "menu", "ctrl_tcp", "debug_cmd")
FOLDERS = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")


class Baresip(Process):
    """`voice` is an 8 kHz WAV that it plays; `accounts` are its own address lines. Recordings go to its folder as
    dump-*-dec.wav (what came) and dump-*-enc.wav (what it sent)."""

    def __init__(self, ground, accounts, voice, name="baresip", modules=(), extra=""):
        folder = ground.place(name)
        binary = program("baresip", "baresip-core")
        where = next((f for f in FOLDERS if pathlib.Path(f, "g711.so").exists()), None)
        if not where:
            raise Skipped("baresip's modules are not where Debian puts them")
        self.control_port, self.sip_port = ground.port(), ground.port()
        config = [
            f"sip_listen 127.0.0.1:{self.sip_port}",
            "net_interface 127.0.0.1",
            f"audio_source aufile,{voice}",
            "audio_player aufile,/dev/null",
            "audio_alert aufile,/dev/null",
            "audio_jitter_buffer_delay 1-20",
            "call_max_calls 8",
            "call_local_timeout 20",
            "audio_txmode poll",
            f"ctrl_tcp_listen 127.0.0.1:{self.control_port}",
            f"snd_path {folder}",
            f"module_path {where}",
            *(f"module {m}.so" for m in (*MODULES, *modules) if pathlib.Path(where, m + ".so").exists()),
            extra,
        ]
        (folder / "config").write_text("\n".join(config) + "\n")
        (folder / "accounts").write_text("\n".join(accounts) + "\n")
        (folder / "contacts").write_text("")
        super().__init__(name, [binary, "-4", "-s", "-v", "-f", folder], folder)
        self.socket, self.events = None, []

    def settle(self):
        self.wait_for("baresip is ready", 10)
        self.socket = socket.create_connection(("127.0.0.1", self.control_port), timeout=5)
        self.pending = b""

    def stop(self):
        if self.socket:
            self.socket.close()
        return super().stop()

    def command(self, word, parameters=""):
        """Hands over one command of its menu and returns its answer."""
        body = json.dumps({"command": word, "params": parameters, "token": word}).encode()
        self.socket.sendall(b"%d:%s," % (len(body), body))
        answer = self._next(lambda m: m.get("token") == word, 5)
        return answer.get("data", "")

    def event(self, kind, wait_s=10.0):
        """Waits for an event of this type, such as CALL_ESTABLISHED; events that came before count once."""
        for known in self.events:
            if known.get("type") == kind:
                self.events.remove(known)
                return known
        found = self._next(lambda m: m.get("event") and m.get("type") == kind, wait_s)
        self.events.remove(found)
        return found

    def _next(self, wanted, wait_s):
        end = time.monotonic() + wait_s
        while True:
            message = self._read(end - time.monotonic())
            if message is None:
                raise Failed(
                    f"{self.name}: what was waited for did not come within {wait_s:g} s; events: {self.kinds()}"
                )
            if message.get("event"):
                self.events.append(message)
            if wanted(message):
                return message

    def kinds(self):
        return [e.get("type") for e in self.events]

    def _read(self, wait_s):
        """One netstring, or None when none came in time."""
        end = time.monotonic() + max(0.0, wait_s)
        while True:
            length, colon, rest = self.pending.partition(b":")
            if colon and len(rest) > int(length):
                self.pending = rest[int(length) + 1 :]
                return json.loads(rest[: int(length)])
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not more:
                raise Failed(f"{self.name} closed its control socket")
            self.pending += more

    def recording(self, side="dec"):
        """The latest recording: `dec` is what it heard, `enc` what it said."""
        found = sorted(self.folder.glob(f"dump-*-{side}.wav"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise Failed(f"{self.name} recorded nothing")
        return found[-1]
