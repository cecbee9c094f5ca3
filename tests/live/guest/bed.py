"""Whether the machine of scripts/guest can be measured on: a real-time timer beside busy processors is in time, and is seen
late while something holds the processors. Exit code 1 otherwise.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# The beat of the audio thread, and its priority; what counts as late.
TICK_S, PRIORITY, LATE_MS = 0.010, 70, 2.0
TICKS = 500


@contextlib.contextmanager
def beside(*commands):
    """Runs these meanwhile, each for every processor."""
    cpus = sorted(os.sched_getaffinity(0))
    children = [subprocess.Popen([sys.executable, *command, str(cpu)]) for command in commands for cpu in cpus]
    try:
        time.sleep(1)
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def lateness_ms():
    """Of each tick."""
    late, due = [], time.monotonic()
    for _ in range(TICKS):
        due += TICK_S
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(1e3 * (time.monotonic() - due))
    return late


def main():
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    busy = ("-c", "while True: pass")
    with beside(busy):
        alone = lateness_ms()
    with beside(busy, (HERE / "hold.py",)):
        held = lateness_ms()
    of_alone, of_held = (sum(ms > LATE_MS for ms in late) for late in (alone, held))
    print(
        f"bed: of {TICKS} ticks beside busy processors {of_alone} over {LATE_MS:g} ms late, worst {max(alone):.2f} ms; with the "
        f"processors held for 12 ms a second {of_held}, worst {max(held):.2f} ms"
    )
    return 0 if of_alone == 0 and of_held >= TICKS * TICK_S / 2 else 1


if __name__ == "__main__":
    sys.exit(main())
