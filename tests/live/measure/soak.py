#!/usr/bin/env python3
"""The soak: calls come and go, some callers vanish, rubbish comes in, the configuration is read again.

    scripts/soak [MINUTES] [--calls 30] [--rate 2] [--load] [--no-excuse]

--load is the hour with both cores loaded: other work on every processor (stress-ng, or loops), a few long calls, neither
rubbish nor reloads; what counts then is that the audio thread wakes in time. Exit code 1 when a bound is broken: memory
that grows after warm-up, descriptors or calls that are not accounted for, ticks over 2 ms late or never run. Two timers
with a higher priority than the audio thread's tell what the machine itself held back: a late tick at such a moment is
said, and not counted against the program. --no-excuse leaves those timers out, and each late tick counts.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from measure import ground as grounds
from measure.soaking import Soak


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=30, help="how long (default %(default)s)")
    parser.add_argument("--calls", type=int, help="calls at once, at most (default 30; 5 with --load)")
    parser.add_argument("--rate", type=float, default=2, help="new calls a second (default %(default)s)")
    parser.add_argument("--load", action="store_true", help="load every processor; calls and nothing else")
    parser.add_argument("--no-excuse", action="store_true", help="no timers beside it; each late tick counts")
    grounds.common(parser)
    return parser.parse_args()


def body():
    options = arguments()
    calls = options.calls or (5 if options.load else 30)
    with grounds.ground(options) as ground:
        soak = Soak(ground, options.minutes, calls, options.rate, loaded=options.load, watched=not options.no_excuse)
        soak.run()
        print("\n".join(soak.report()), flush=True)
        faults = soak.faults()
    print("\n".join(f"BEYOND A BOUND: {fault}" for fault in faults) or "all within their bounds")
    return 1 if faults else 0


if __name__ == "__main__":
    grounds.go_apart()
    sys.exit(grounds.main(body, "soak"))
