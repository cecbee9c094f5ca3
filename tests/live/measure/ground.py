"""A ground for a program that is no case: in a namespace of its own where that is allowed."""

import contextlib
import os
import pathlib
import sys
import tempfile

import kit
import netns

APART = "OFFHOOK_MEASURE_APART"


def go_apart():
    """Starts this program again in a network namespace that holds nothing but loopback, where that is allowed."""
    prefix = netns.prefix()
    if prefix and APART not in os.environ:
        os.environ[APART] = "1"
        os.execvp(prefix[0], [*prefix, sys.executable, *sys.argv])
    netns.raise_loopback()


@contextlib.contextmanager
def ground(options):
    """`options` has `binary`, and `keep`: a folder for what the programs said."""
    with contextlib.ExitStack() as stack:
        root = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="offhook-measure-"))
        made = kit.Ground(pathlib.Path(root).resolve(), options)
        made.folder.mkdir(parents=True, exist_ok=True)
        stack.callback(made.close)
        yield made


def common(parser):
    parser.add_argument("--binary", required=True, help="the offhook to measure (the script builds and names it)")
    parser.add_argument("--keep", metavar="FOLDER", help="keep configurations and logs there")


def main(body, about):
    """Runs it; exit code 1 when a bound was broken, 3 when something that is needed is missing."""
    try:
        return body()
    except kit.Failed as fault:
        print(f"{about}: {fault}", file=sys.stderr)
        return 1
    except kit.Skipped as why:
        print(f"{about}: {why}", file=sys.stderr)
        return 3
