#!/usr/bin/env python3
"""What the engine makes of bad networks: delay and quality for each kind, on voices and draws of our own.

    make score
    make score ARGS="--seeds 1,2,3 --kinds mobile,uploads --set jitter.max_ms=200"
    make score ARGS="--save before.json"        … and after a change:  make score ARGS="--against before.json"

All of it stays under target/score: voices, traces, recordings, and for each trace a log that scripts/plot-replay
draws.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys

import numpy as np

import measure
import networks
import voices

TOP = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = ("delay_ms", "delay_p95_ms", "pesq", "pesq_worst")
# The voice over no network at all: what G.711 leaves of it is the most that any engine can reach.
CEILING = "(no network)"


def arguments():
    names = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in names(text)], default=[1])
    parser.add_argument("--kinds", type=names, default=list(networks.KINDS), help="default: all thirteen")
    parser.add_argument("--voices", type=names, help="slt, espeak, allison; default: all that can be had here")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call, default 60")
    parser.add_argument("--codec", default="pcmu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in offhook replay")
    parser.add_argument("--program", type=pathlib.Path, help="the offhook to measure; default: build it")
    parser.add_argument("--out", type=pathlib.Path, default=TOP / "target" / "score")
    parser.add_argument("--save", type=pathlib.Path, metavar="FILE.json", help="keep the figures")
    parser.add_argument("--against", type=pathlib.Path, metavar="FILE.json", help="show the change since then")
    args = parser.parse_args()
    for kind in args.kinds:
        if kind not in networks.KINDS:
            parser.error(f"no kind {kind!r}; there are {', '.join(networks.KINDS)}")
    here, missing = voices.available()
    for name in args.voices or []:
        if name not in here:
            parser.error(f"no voice {name!r}: {missing.get(name, 'there are ' + ', '.join(voices.VOICES))}")
    args.voices = args.voices or here
    for name, remedy in missing.items():
        print(f"score: without the voice {name} ({remedy})", file=sys.stderr)
    return args


def build():
    subprocess.run(["cargo", "build", "--locked", "--release", "-p", "offhook"], cwd=TOP, check=True)
    folder = os.environ.get("CARGO_TARGET_DIR", TOP / "target")
    return pathlib.Path(folder, "release", "offhook")


def prepare(args):
    """Voices and traces; returns what is to be replayed: (voice, kind, voice file, trace, recording)."""
    for folder in ("voices", "traces", "heard"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    still = args.out / "traces" / "still.csv"
    packets = round(args.seconds * 1000 / networks.PACKET_MS)
    rows = (f"{q},{q * 20}.000,{q * 20 + 20}.000" for q in range(packets))
    still.write_text("seq,send_ms,arrive_ms\n" + "\n".join(rows) + "\n", encoding="utf-8")
    traces = [(CEILING, "still", still)]
    for seed in args.seeds:
        for kind in args.kinds:
            path = args.out / "traces" / f"{kind}-{seed}.csv"
            networks.write(path, kind, seed, args.seconds)
            traces.append((kind, path.stem, path))
    jobs = []
    for voice in args.voices:
        path = args.out / "voices" / f"{voice}.wav"
        voices.write(voice, args.program, path, args.seconds)
        for kind, stem, trace in traces:
            jobs.append((kind, path, trace, args.out / "heard" / f"{voice}-{stem}.wav"))
    return jobs


def replay_and_measure(job):
    program, options, (kind, voice, trace, heard) = job
    command = [program, "replay", "--trace", trace, "--voice", voice, "--wav", heard,
               "--log", heard.with_suffix(".csv"), "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {**measure.measure(voice, heard), "cpu_ns": json.loads(done.stdout)["cpu_p50_ns"]}


def progress(results, number):
    """Shows how far it is, where somebody looks."""
    for done, result in enumerate(results, 1):
        if sys.stderr.isatty():
            print(f"\rscore: {done} of {number}", end="\n" if done == number else "", file=sys.stderr, flush=True)
        yield result


def main():
    args = arguments()
    args.program = args.program or build()
    jobs = prepare(args)
    options = ["--codec", args.codec] + [word for setting in args.set for word in ("--set", setting)]
    with multiprocessing.Pool() as pool:
        work = pool.imap(replay_and_measure, [(args.program, options, job) for job in jobs])
        results = list(progress(work, len(jobs)))
    by_kind = {kind: [] for kind in [*args.kinds, CEILING]}
    for (kind, *_), result in zip(jobs, results):
        by_kind[kind].append(result)
    table = {kind: {c: float(np.mean([r[c] for r in rs])) for c in (*COLUMNS, "cpu_ns")} for kind, rs in by_kind.items()}
    table["mean"] = {c: float(np.mean([table[kind][c] for kind in args.kinds])) for c in (*COLUMNS, "cpu_ns")}
    calls = (f"{args.codec}, voices {', '.join(args.voices)}, seeds {', '.join(map(str, args.seeds))}, "
             f"{len(args.kinds)} kinds, {args.seconds:.0f} s each")
    before = json.loads(args.against.read_text(encoding="utf-8")) if args.against else None
    if before and before["calls"] != calls:
        sys.exit(f"score: {args.against} holds other calls ({before['calls']}); these were {calls}")
    print(f"{calls}, {' '.join(args.set) or 'default settings'}")
    show(table, before["table"] if before else {})
    if args.save:
        args.save.write_text(json.dumps({"calls": calls, "table": table}, indent=1) + "\n", encoding="utf-8")


def show(table, before):
    print(f"{'network':<16}{'delay ms':>9}{'p95':>7}{'PESQ':>7}{'worst':>7}{'median CPU':>13}"
          + ("     change of delay, p95, PESQ, worst" if before else ""))
    for kind, row in table.items():
        line = (f"{kind:<16}{row['delay_ms']:>9.0f}{row['delay_p95_ms']:>7.0f}{row['pesq']:>7.2f}"
                f"{row['pesq_worst']:>7.2f}{row['cpu_ns'] / 1000:>10.2f} µs")
        if old := before.get(kind):
            change = [row[column] - old[column] for column in COLUMNS]
            line += f"     {change[0]:+6.0f} {change[1]:+6.0f} {change[2]:+6.2f} {change[3]:+6.2f}"
        print(line)


if __name__ == "__main__":
    main()
