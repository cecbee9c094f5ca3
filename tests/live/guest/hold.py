"""Holds one processor for 12 ms in each second, above every priority: a planted fault. A beat of 10 ms has one tick in any
10 ms, so that each second makes one that comes 2 to 12 ms late.

    hold.py CPU
"""

import os
import sys
import time

HOLD_S = 0.012


def main():
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
    while True:
        # By the clock, so that no processor is free while another is held.
        time.sleep(1 - time.monotonic() % 1)
        until = time.monotonic() + HOLD_S
        while time.monotonic() < until:
            pass


if __name__ == "__main__":
    main()
