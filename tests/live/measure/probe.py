#!/usr/bin/env python3
"""Watches the machine: one real-time timer a processor, every millisecond, above the priority of what is measured.

    probe.py CPU PRIORITY

Prints a line "LATE_MS AT_S" (time.monotonic) for each time that the timer woke over 1 ms late: the machine itself gave this
processor to nobody, be it a hypervisor or a stretch of the kernel that cannot be interrupted. Ends with SIGTERM.
"""

import ctypes
import gc
import os
import sys
import time

TICK_S, LATE_S = 0.001, 0.001
# sys/mman.h
MCL_CURRENT, MCL_FUTURE = 1, 2


def main():
    cpu, priority = int(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {cpu})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        print("not allowed", flush=True)
        return
    ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE)
    gc.disable()
    print("watching", flush=True)
    due = time.monotonic()
    while True:
        due += TICK_S
        time.sleep(max(0.0, due - time.monotonic()))
        late = time.monotonic() - due
        if late > LATE_S:
            print(f"{1e3 * late:.2f} {due:.3f}", flush=True)
            # What was missed is not caught up with.
            due = max(due, time.monotonic())


if __name__ == "__main__":
    main()
