"""The audio thread, watched from outside: what it asks of the system while calls are up."""

import collections
import re
import signal
import time

from kit import Skipped, case, check
from peers.caller import Caller
from peers.offhook import Offhook
from peers.process import Process, program

WATCHED_S = 10.0
TICKS_PER_S = 100


@case(alone=True, limit_s=60)
def system_calls(ground):
    """One system call a tick over ten seconds with five calls up, counted by strace"""
    strace = program("strace", "strace")
    offhook = ground.start(Offhook(ground))
    for number in range(5):
        ground.start(Caller(ground, offhook.uri("600"), "--duration", "16", name=f"caller-{number}"))
    time.sleep(2)
    audio = next((tid for name, tid in offhook.threads().items() if "audio" in name), None)
    check(audio, f"no thread is called audio: {offhook.threads()}")
    trace = Process(
        "strace", [strace, "-p", audio, "-o", "calls.txt"], ground.place("strace"), stop_signal=signal.SIGINT
    )
    ground.start(trace)
    time.sleep(0.5)
    if not trace.running():
        raise Skipped(f"strace may not attach here: {trace.tail()}")
    # It writes line by line: what stands in the file between two looks is what was called between them.
    calls = trace.folder / "calls.txt"
    first = len(calls.read_text().splitlines())
    began = time.monotonic()
    time.sleep(WATCHED_S)
    lines = calls.read_text().splitlines()[first:]
    took = time.monotonic() - began
    trace.stop()
    kinds = collections.Counter(m[1] for line in lines if (m := re.match(r"(\w+)\(", line)))
    ticks = took * TICKS_PER_S
    ground.say(f"{sum(kinds.values())} calls in {ticks:.0f} ticks: {dict(kinds)}")
    check(set(kinds) == {"clock_nanosleep"}, f"it calls more than its wait: {dict(kinds)}")
    check(abs(sum(kinds.values()) - ticks) <= 0.02 * ticks + 2, "not one call a tick")
