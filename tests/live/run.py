#!/usr/bin/env python3
"""Runs the live tests: `offhook run` against SIP programs that others wrote, on loopback.

    scripts/live [NAME ...] [--long] [--list] [--keep] [--jobs N]

NAME is a case, or the beginning of one: `sipp`, `sipp_calls.cancel`. Without names: all cases but those marked long.
Each case is a process of its own, where allowed in a network namespace that holds nothing but `lo`, so that no port is
shared and nothing can leave the machine. Prints one line a case, and for a failed one what each side said. A case that
failed while the machine itself stood still is asked again at the end.
The last line is "N passed, N failed, N skipped"; it is also appended to the file that OFFHOOK_TEST_TOTAL names.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import kit
import netns
from awake import awake
from measure.machine import MEASURING_MS, MOST_TRIES, STOOD_STILL_MS, watched

PASSED, FAILED, SKIPPED = "passed", "FAILED", "SKIPPED"
# Failed while a processor of the machine ran nothing.
AGAIN = "AGAIN"
# Exit codes of a case's own process.
CODES = {0: PASSED, 1: FAILED, 3: SKIPPED}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cases, or beginnings of their names")
    parser.add_argument("--binary", help="the offhook to test (scripts/live builds and names it)")
    parser.add_argument("--long", action="store_true", help="also the cases that take minutes")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    parser.add_argument("--keep", metavar="FOLDER", help="keep every case's logs and recordings there")
    # A case is calls, and calls are waited for: two keep a core busy for a fraction of the time.
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="cases side by side")
    parser.add_argument("--repeat", type=int, default=1, help="run the selection so many times")
    parser.add_argument("--calls", type=int, default=50, help="calls at once in the load case")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    cases = kit.load_cases()
    if options.one:
        return run_here(cases[options.one], options)
    chosen = choose(cases, options)
    if options.list:
        for case in chosen:
            print(f"{case.name:<36} {'long ' if case.long else '     '}{case.about}")
        return 0
    if not chosen:
        print(f"live: no case is called {' or '.join(options.names)}; scripts/live --list names them", file=sys.stderr)
        return 2
    if not options.binary or not os.access(options.binary, os.X_OK):
        print("live: --binary has to name an offhook that can be run; scripts/live does", file=sys.stderr)
        return 2
    return run_all(chosen, options)


def choose(cases, options):
    if options.names:
        fits = [c for c in cases.values() if any(c.name.startswith(n) for n in options.names)]
    else:
        fits = list(cases.values())
    fits = [c for c in fits if options.long or not c.long or c.name in options.names]
    return fits * options.repeat


# ---- one case, in its own process ---------------------------------------------------------------------------


def run_here(case, options):
    """In the child: runs the case, prints why it failed and what its peers said."""
    netns.raise_loopback()
    ground = kit.Ground(options.folder, options)
    code = attempt(lambda: case.run(ground))
    # What its peers do at their end belongs to the case as well.
    code = attempt(ground.close) or code
    if code == 1:
        for peer in ground.peers:
            print(f"    ---- {peer.name} said last:")
            print("\n".join("    | " + line for line in peer.tail().splitlines()))
    return code


def attempt(step):
    """Runs it; the exit code that its end stands for. What went wrong is printed."""
    try:
        step()
        return 0
    except kit.Skipped as why:
        print(f"    {why}")
        return 3
    except kit.Failed as fault:
        print(f"    {fault}")
    except Exception:
        traceback.print_exc(file=sys.stdout)
    return 1


# ---- all cases ----------------------------------------------------------------------------------------------


def run_all(chosen, options):
    began = time.monotonic()
    root = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="offhook-live-")).resolve()
    root.mkdir(parents=True, exist_ok=True)
    apart = netns.prefix()
    if not apart:
        print("live: no network namespace allowed here; cases share this machine's loopback")
    counts = {PASSED: 0, FAILED: 0, SKIPPED: 0, AGAIN: 0}
    skipped, again = [], []
    lock = threading.Lock()

    def one(machine, number, case, tries=1):
        since = time.monotonic()
        folder = root / (f"{number:03}-{case.name}" + (f"-{tries}" if tries > 1 else ""))
        verdict, seconds, text = run_apart(case, folder, apart, options)
        still_ms = machine.stood_still_ms(since, time.monotonic(), MEASURING_MS if case.alone else STOOD_STILL_MS)
        if verdict == FAILED and still_ms and tries < MOST_TRIES:
            verdict = AGAIN
            text += f"    a processor of this machine ran nothing for {still_ms:.0f} ms of it: asked again at the end\n"
        with lock:
            counts[verdict] += 1
            if verdict == SKIPPED:
                skipped.append(f"{case.name}: {text.strip()}")
            if verdict == AGAIN:
                again.append((number, case, tries + 1))
            print(f"{verdict:<8}{case.name:<40} {seconds:6.1f} s", flush=True)
            if text:
                print(text.rstrip("\n"), flush=True)

    numbered = list(enumerate(chosen))
    with awake(), watched(root / "machine", options) as machine:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(lambda nc: one(machine, *nc), [nc for nc in numbered if not nc[1].alone]))
        for number, case in numbered:
            if case.alone:
                one(machine, number, case)
        while again:
            machine.wait_for_calm()
            one(machine, *again.pop(0))
        print(f"\nthis machine: {machine.told()}")
    if not options.keep:
        shutil.rmtree(root, ignore_errors=True)
    return report(counts, skipped, time.monotonic() - began)


def run_apart(case, folder, apart, options):
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *apart,
        sys.executable,
        str(HERE / "run.py"),
        "--one",
        case.name,
        "--folder",
        str(folder),
        "--binary",
        str(pathlib.Path(options.binary).resolve()),
        "--calls",
        str(options.calls),
    ]
    began = time.monotonic()
    with open(folder / "case.log", "w+b") as log:
        # A session of its own, so that a case that hangs is ended with all that it started.
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = child.wait(case.limit_s)
            overdue = ""
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait()
            code, overdue = 1, f"    ended: it was not done after {case.limit_s} s\n"
        log.seek(0)
        text = log.read().decode("utf-8", "replace") + overdue
    return CODES.get(code, FAILED), time.monotonic() - began, text


def report(counts, skipped, seconds):
    print(f"\nlive tests took {seconds:.0f} s")
    for line in skipped:
        print(f"SKIPPED {line}")
    if counts[AGAIN]:
        print(f"asked again because the machine stood still: {counts[AGAIN]}")
    line = f"{counts[PASSED]} passed, {counts[FAILED]} failed, {counts[SKIPPED]} skipped"
    if total := os.environ.get("OFFHOOK_TEST_TOTAL"):
        with open(total, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    print(line, flush=True)
    return 1 if counts[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
