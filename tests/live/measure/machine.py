"""What the machine does beside the program that is measured: load on purpose, and how well it keeps its own timers."""

import contextlib
import os
import pathlib
import shutil
import sys
import time

from kit import Ground
from measure.usage import stolen_s
from peers.process import Process

HERE = pathlib.Path(__file__).resolve().parent
# Above the audio thread's 70: who is later than this one was not held up by us.
PROBE_PRIORITY = 80
# What counts as a late tick. A timer of every millisecond meets the end of such a stall at least 1 ms late.
LATE_MS = 2.0
# A test that failed while a processor ran nothing for so long says nothing of the program, and is asked again ...
STOOD_STILL_MS = 100
# ... and one that measures milliseconds when it was for so long ...
MEASURING_MS = 5
# ... until it was asked so often.
MOST_TRIES = 3
# Before that it is waited for so long a time without a late timer, and no longer than that for all of them.
CALM_S, WAITS_S = 5, 300


class Load(Process):
    """Keeps a processor busy: stress-ng where there is one, else a loop."""

    def __init__(self, ground, number):
        stress = shutil.which("stress-ng")
        loop = [sys.executable, "-c", "while True: pass"]
        argv = [stress, "--cpu", "1", "--vm", "1", "--vm-bytes", "64M"] if stress else loop
        super().__init__(f"busy-{number}", argv, ground.place("load"))


class Probe(Process):
    """measure/probe.py on one processor."""

    def __init__(self, ground, cpu):
        argv = [sys.executable, HERE / "probe.py", cpu, PROBE_PRIORITY]
        super().__init__(f"probe-{cpu}", argv, ground.place("probe"))

    def late(self):
        """(ms late, when by time.monotonic) for each time that it was over 1 ms late."""
        lines = (line.split() for line in self.log().splitlines() if line[:1].isdigit())
        return [(float(ms), float(at)) for ms, at in (line for line in lines if len(line) == 2)]


class Machine:
    """A probe for each processor, unless nothing shall excuse a late tick, and where asked for its load."""

    def __init__(self, ground, loaded, watched=True):
        cpus = sorted(os.sched_getaffinity(0))
        self.probes = [ground.start(Probe(ground, cpu)) for cpu in cpus if watched]
        self.load = [ground.start(Load(ground, number)) for number in range(len(cpus))] if loaded else []
        self.stolen_before = stolen_s()
        self.may_wait_s = WAITS_S

    def told(self):
        """How well it kept time, in words."""
        late = [ms for probe in self.probes for ms, _ in probe.late() if ms > LATE_MS]
        stolen = f"{stolen_s() - self.stolen_before:.1f} s of processor time stolen"
        if not self.probes:
            return f"unwatched, it excuses no late tick; {stolen}"
        if any("not allowed" in probe.log() for probe in self.probes):
            return f"no real-time timers allowed to watch it; {stolen}"
        return f"its own timers over 2 ms late: {len(late)}, worst {max(late, default=0):.1f} ms; {stolen}"

    def was_late(self, since, until):
        """The latest of its timers between these two moments, ms; 0 when none was over 1 ms late."""
        return max((ms for p in self.probes for ms, at in p.late() if since <= at + ms / 1e3 and at <= until), default=0.0)

    def stood_still_ms(self, since, until, least_ms=STOOD_STILL_MS):
        """For how long at most a processor ran nothing between these two moments; 0 when that excuses no failure."""
        late_ms = self.was_late(since, until)
        return late_ms if late_ms >= least_ms else 0.0

    def wait_for_calm(self):
        """Returns when it kept time for a while. What else its host runs comes in stretches of minutes."""
        began = time.monotonic()
        while time.monotonic() - began < self.may_wait_s:
            time.sleep(CALM_S)
            now = time.monotonic()
            if self.was_late(now - CALM_S, now) <= LATE_MS:
                break
        self.may_wait_s -= time.monotonic() - began


@contextlib.contextmanager
def watched(folder, options=None):
    """The machine, whose own timers tell when it ran nothing."""
    ground = Ground(folder, options)
    try:
        yield Machine(ground, loaded=False)
    finally:
        ground.close()
