"""`offhook lab` as a process of its own, so that it can be looked into and killed."""

import json
import time
import urllib.request

from kit import Failed
from peers.process import Process


class Lab(Process):
    """`replies` are what its language model answers, in turn, whoever asks."""

    def __init__(self, ground, replies=(), faults=(), name="lab"):
        self.port = ground.port()
        argv = [ground.options.binary, "lab", "--port", self.port, "--tls-port", 0, "--wyoming-port", 0]
        argv += [word for reply in replies for word in ("--reply", reply)]
        argv += [word for fault in faults for word in ("--fault", fault)]
        super().__init__(name, argv, ground.place(name))

    def settle(self):
        end = time.monotonic() + 15
        while time.monotonic() < end and self.running():
            try:
                self.seen()
                return
            except OSError:
                time.sleep(0.05)
        raise Failed(f"the lab does not answer:\n{self.tail()}")

    def seen(self):
        """What it saw of its visitors."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/lab/seen", timeout=5) as answer:
            return json.loads(answer.read())

    def settings(self):
        """The section `speech` of an offhook that uses it for everything."""
        base = f"http://127.0.0.1:{self.port}"
        return {"voice_url": base, "ears_url": base, "mind_url": f"{base}/v1"}
