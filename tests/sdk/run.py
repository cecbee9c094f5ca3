"""Clients that nobody here wrote hold sessions with the lab. One line a check; any failure is the exit code 1.

usage: run.py PROGRAM [NAME ...]
"""

import importlib
import sys
import time
import traceback

from lab import Lab

ALL = ["elevenlabs", "deepgram", "deepgram_flux", "openai", "openai_realtime", "wyoming", "wyoming_client", "piper"]


def main():
    program, *names = sys.argv[1:]
    passed = failed = 0
    with Lab(program) as lab:
        print(lab.voice)
        for name in names or ALL:
            for check in importlib.import_module(f"check_{name}").CHECKS:
                lab.reset()
                began = time.monotonic()
                try:
                    check(lab)
                    verdict = "ok"
                    passed += 1
                except Exception:
                    verdict = "FAILED\n" + traceback.format_exc()
                    failed += 1
                print(f"  {name}: {check.__name__} {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"sdk-check: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
