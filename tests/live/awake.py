"""Keeps this machine's processors awake with work that yields to everything else.

A virtual machine whose processors sleep is woken when its host finds the time, which on a busy host is tens of milliseconds
later: that would be measured instead of the program.
"""

import contextlib
import os
import subprocess
import sys

SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


@contextlib.contextmanager
def awake():
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()
