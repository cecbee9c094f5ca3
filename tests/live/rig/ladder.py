"""A log of every SIP message, with its time."""

import sys
import time


class SipLog:
    def __init__(self, path):
        self.f = sys.stderr if path == "-" else open(path, "w")
        self.t0 = time.monotonic()

    def __call__(self, d, data, peer, t=None):
        t = (t if t is not None else time.monotonic()) - self.t0
        self.f.write("%10.3f %s %s\n" % (t * 1e3, {">": "send to", "<": "received from", "!": "error"}[d], peer))
        self.f.write(
            "\n".join("    " + x for x in data.decode("utf-8", "replace").replace("\r", "").rstrip("\n").split("\n"))
            + "\n\n"
        )
        self.f.flush()
