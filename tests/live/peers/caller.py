"""rig/call.py as a peer: a scripted call whose every packet is stamped and kept."""

import json
import sys

from kit import HERE, Failed
from peers.process import Process


class Caller(Process):
    """`target` None listens instead (`listen_port`). `finished()` is what it has to tell."""

    def __init__(self, ground, target, *options, name="caller", listen_port=None, limit_s=60):
        folder = ground.place(name)
        self.json, self.record, self.packets = folder / "call.json", folder / "heard.wav", folder / "rtp.csv"
        self.limit_s, self.port = limit_s, listen_port
        who = [target] if target else ["--listen", f"127.0.0.1:{listen_port}"]
        argv = [
            sys.executable,
            HERE / "rig/call.py",
            *who,
            "--json",
            self.json,
            "--record",
            self.record,
            "--log",
            self.packets,
            "--sip-log",
            folder / "sip.log",
            *options,
        ]
        super().__init__(name, argv, folder)

    def finished(self, answered=True):
        """Waits for its end; the summary. `answered` False: whatever became of the call."""
        try:
            code = self.child.wait(self.limit_s)
        except Exception as late:
            raise Failed(f"{self.name}: the call did not end within {self.limit_s} s") from late
        if not self.json.exists():
            raise Failed(f"{self.name}: no summary, exit code {code}")
        told = json.loads(self.json.read_text())
        if answered and told.get("final") != 200:
            raise Failed(f"{self.name}: not answered with 200 but {told.get('final')}: {told.get('end')}")
        return told

    def gaps_ms(self):
        """The time between the arrivals of one packet and the next, sorted."""
        with open(self.packets, encoding="utf-8") as log:
            came = [float(line.split(",", 1)[0]) for line in log if ",rx," in line]
        return sorted(after - before for before, after in zip(came, came[1:]))

    def tail(self):
        sip = self.folder / "sip.log"
        return (
            super().tail()
            + "\n"
            + "\n".join(sip.read_text(errors="replace").splitlines()[-90:] if sip.exists() else [])
        )
