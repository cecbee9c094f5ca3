#!/usr/bin/env python3
"""The agent's times on the wire: scripted callers ask, wait, interrupt, ask again and hang up, alone and twenty at once.

    scripts/turns [--alone 5] [--at-once 20]

Every packet is stamped by the kernel as it passes loopback: RTP both ways, and what the lab's voice sends. Medians and
percentiles of: the first byte of speech on the socket, and the first that is no silence of the voice's own, to the first
packet that carries it; the caller's first sound in an interruption to the last sound of ours; the end of a question to the
first sound of the answer, of which the lab's own waiting is the most. What the rests between sentences have beyond their
plan is counted by the product itself, at the play-out. Exit code 1 when a bound is broken.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from awake import awake
from measure import ground as grounds
from measure.turning import Talks


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alone", type=int, default=5, help="calls one after the other (default %(default)s)")
    parser.add_argument("--at-once", type=int, default=20, help="calls at once (default %(default)s)")
    grounds.common(parser)
    return parser.parse_args()


def body():
    options = arguments()
    faults = []
    for calls, rounds in ((1, options.alone), (options.at_once, 1 if options.at_once else 0)):
        if rounds:
            with grounds.ground(options) as ground, awake():
                talks = Talks(ground, calls)
                for _ in range(rounds):
                    talks.talk()
                print(f"\n{rounds * calls} calls, {calls} at once")
                print("\n".join(talks.report()), flush=True)
                faults += [f"{calls} at once: {fault}" for fault in talks.faults()]
    print("\n" + ("\n".join(f"BEYOND A BOUND: {fault}" for fault in faults) or "all within their bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    grounds.go_apart()
    sys.exit(grounds.main(body, "turns"))
