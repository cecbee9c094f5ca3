#!/usr/bin/env python3
"""The load table: what a call costs, at 1 to 200 echo calls with sound on loopback, beside baresip with its echo module.

    scripts/load [--calls 1,10,50,100,200] [--rounds 3] [--seconds 10] [--settle 10] [--no-peer]
    scripts/guest load                                   the same where processor time is instructions, counted

For each number of calls a process of its own is started, looked at while idle, called by offhook-callers (PCMU, 20 ms),
and looked at again while every caller sends sound in which each 10 ms has a number. A row says what a call adds to the
idle process: processor time of all threads, memory that is its own share (Pss). Those are medians of several rounds, as a
shared machine is not equally fast all the time, and for up to ten calls of three looks in each; what was counted is of all
of them together. "lost" and "twice" are numbers
of RTP packets that came back; "gone" and "again" are pieces of 10 ms of the sound itself. "sent late" are packets that left
the callers themselves over 2 ms late, as the machine held them up, and "read late" those that offhook read behind the tick
for which they were there: a buffer may have given those up.

"beyond 1" is what each call but the first costs, "+-" how far that may be wrong, as looks at the same calls differ so much.
"""

import argparse
import dataclasses
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

import time

import kit
from measure import ground as grounds
from measure.usage import cpu, usage
from peers.baresip_echo import BaresipEcho
from peers.crowd import Crowd
from peers.offhook import Offhook

IDLE_S = 3.0
# After the counted time; the calls stand for a second more.
SOUND_BACK_S = 0.6
# A few calls cost little beside what a shared machine does by itself: in each round they are looked at several times.
FEW, LOOKS_AT_FEW = 10, 3
# What a call may cost in offhook, at the greatest number; and how far the cost of a further call may vary.
MOST_CPU_PERCENT, MOST_KB, FLAT_WITHIN, MOST_RSS_ONE_MB = 0.12, 150, 0.20, 15
# What a packet that was sent late may cost: its own two pieces.
PIECES_A_LATE_PACKET = 2


HARM = ("lost", "repeated", "pieces_missing", "pieces_repeated")


@dataclasses.dataclass
class Row:
    """One number of calls, looked at once or several times."""

    calls: int
    looks: int
    cpu_percent: float
    # By how much its looks differ to either side, of all its calls together.
    scatter_percent: float
    kb: float
    rss_mb: float
    told: dict

    @property
    def harm(self):
        return [self.told[key] for key in HARM]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", default="1,10,50,100,200", help="numbers of calls (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all of them are measured (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="counted time of each row (default %(default)s)")
    parser.add_argument("--settle", type=float, default=10, help="silence before it (default %(default)s)")
    parser.add_argument("--no-peer", action="store_true", help="leave baresip out")
    parser.add_argument(
        "--counted",
        type=float,
        metavar="MILLION",
        help="the clock counts instructions, so many million a second: one look is exact, and no share of a core is judged",
    )
    grounds.common(parser)
    return parser.parse_args()


def offhook(ground, calls, name):
    settings = {"calls": {"max": max(50, calls)}, "log": {"level": "warn"}}
    return Offhook(ground, settings, name=f"offhook-{name}")


def baresip(ground, calls, name):
    return BaresipEcho(ground, calls + 10, name=f"baresip-{name}")


def row(ground, make, calls, number, options):
    # A name of its own each time: what another one said in an earlier round would be taken for its words.
    with make(ground, calls, f"{calls}-{number}") as peer:
        time.sleep(1)
        before = usage(peer.child.pid)
        time.sleep(IDLE_S)
        idle = usage(peer.child.pid)
        resting = idle.cores_since(before)
        times = ("--settle", options.settle, "--seconds", options.seconds)
        with Crowd(ground, peer.sip_port, "--calls", calls, *times, name=f"crowd-{peer.name}") as crowd:
            crowd.told("begin", 60 + options.settle)
            read_late = late_reads(peer)
            begun_s, begun_cpu_s = time.monotonic(), cpu(peer.child.pid)
            crowd.told("end", 60 + options.seconds)
            busy = (cpu(peer.child.pid) - begun_cpu_s) / (time.monotonic() - begun_s)
            # Looking at its memory holds a process up where it wants more of it: not before all sound is back.
            time.sleep(SOUND_BACK_S)
            ended = usage(peer.child.pid)
            told = crowd.finished() | {"read_late": late_reads(peer) - read_late}
    return Row(
        calls,
        1,
        100 * (busy - resting) / calls,
        0.0,
        (ended.pss_kb - idle.pss_kb) / calls,
        ended.rss_kb / 1024,
        told,
    )


def late_reads(peer):
    """Packets that it says it read behind their tick; another program says nothing of the kind."""
    return int(peer.metric("offhook_rtp_read_late_total")) if isinstance(peer, Offhook) else 0


HEAD = f"{'calls':>6} {'answered':>9} {'CPU %/call':>11} {'beyond 1':>9} {'+-':>6} {'kB/call':>9} {'RSS MB':>8} {'lost':>6} {'twice':>6} {'gone':>6} {'again':>6} {'sent late':>12} {'read late':>10}"


def table(name, ground, make, options):
    print(f"\n{name}", file=sys.stderr)
    counts = [int(count) for count in options.calls.split(",")]
    looks = {calls: [] for calls in counts}
    for number in range(options.rounds):
        for calls in counts:
            for _ in range(LOOKS_AT_FEW if calls <= FEW and make is offhook and not options.counted else 1):
                looks[calls].append(row(ground, make, calls, len(looks[calls]), options))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    rows = [median(same) for same in looks.values()]
    print("\n".join((f"\n{name}", HEAD, *(line(rows[0], each) for each in rows))), flush=True)
    return rows


def median(rows):
    def middle(name):
        return statistics.median(getattr(row, name) for row in rows)

    told = {key: sum(row.told[key] for row in rows) for key in (*HARM, "strange", "answered", "late_packets", "read_late")}
    calls, shares = rows[0].calls, [row.cpu_percent for row in rows]
    scatter = calls * (max(shares) - min(shares)) / 2
    return Row(calls, len(rows), middle("cpu_percent"), scatter, middle("kb"), middle("rss_mb"), told)


def line(first, row):
    told = row.told
    lost, twice, gone, again = row.harm
    return (
        f"{row.calls:>6} {told['answered']:>9} {row.cpu_percent:>11.3f} {beyond_first(first, row):>9.3f} {uncertain(first, row):>6.3f} {row.kb:>9.0f} {row.rss_mb:>8.1f}"
        f" {lost:>6} {twice:>6} {gone:>6} {again:>6} {told['late_packets']:>12} {told['read_late']:>10}"
    )


def beyond_first(first, row):
    """What each call but the first costs, percent of a core: the first one also pays for the beat of two threads."""
    if row.calls <= first.calls:
        return row.cpu_percent
    return (row.cpu_percent * row.calls - first.cpu_percent * first.calls) / (row.calls - first.calls)


def uncertain(first, row):
    """By how much that may be wrong."""
    return (row.scatter_percent + first.scatter_percent) / (row.calls - first.calls) if row.calls > first.calls else 0.0


def judge(rows, options):
    """What is beyond a bound."""
    faults = []
    for row in rows:
        if row.told["answered"] != row.calls * row.looks:
            faults.append(f"{row.calls} calls: only {row.told['answered']} of {row.calls * row.looks} were answered")
        lost, twice, gone, again = row.harm
        if lost or twice or again or gone > PIECES_A_LATE_PACKET * row.told["late_packets"]:
            faults.append(f"{row.calls} calls: lost, twice, gone, again {row.harm}")
        if row.told["strange"]:
            faults.append(f"{row.calls} calls: heard {row.told['strange']} packets that were for somebody else")
    most = rows[-1]
    if most.cpu_percent > MOST_CPU_PERCENT and not options.counted:
        faults.append(f"{most.calls} calls: {most.cpu_percent:.3f} % of a core a call, over {MOST_CPU_PERCENT}")
    if most.calls >= 50 and most.kb > MOST_KB:
        faults.append(f"{most.calls} calls: {most.kb:.0f} kB a call, over {MOST_KB}")
    if rows[0].calls == 1 and rows[0].rss_mb > MOST_RSS_ONE_MB:
        faults.append(f"one call: {rows[0].rss_mb:.1f} MB resident, over {MOST_RSS_ONE_MB}")
    for row in rows[1:]:
        each, last = beyond_first(rows[0], row), beyond_first(rows[0], most)
        if rows[0].calls == 1 and abs(each - last) > FLAT_WITHIN * last:
            faults.append(f"{row.calls} calls: {each:.3f} % each, not within {FLAT_WITHIN:.0%} of the {last:.3f} at {most.calls}")
    return faults


def body():
    options = arguments()
    with grounds.ground(options) as ground:
        rows = table("offhook, echo", ground, offhook, options)
        if not options.no_peer:
            try:
                table("baresip, module echo", ground, baresip, options)
            except kit.Skipped as why:
                print(f"SKIPPED: {why}")
    if options.counted:
        each = beyond_first(rows[0], rows[-1]) / 100 * options.counted
        print(f"\neach call beyond the first: {each:.2f} million instructions a second at {rows[-1].calls}")
    faults = judge(rows, options)
    print("\n" + ("\n".join(f"BEYOND A BOUND: {fault}" for fault in faults) or "all within their bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    grounds.go_apart()
    sys.exit(grounds.main(body, "load"))
