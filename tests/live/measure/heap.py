"""What each thread of a program asks of its heap, counted in the program as it is: rig/heap_calls.c stands before malloc."""

import collections
import pathlib
import struct
import subprocess

from kit import HERE, Failed
from peers.process import program

# struct count of rig/heap_calls.c
RECORD = struct.Struct("16sQ")


class Heap:
    """`env` goes to the program; `calls()` is what its threads have asked for so far."""

    def __init__(self, ground):
        folder = ground.place("heap")
        watcher, self.counts = folder / "heap_calls.so", folder / "counts"
        compiler = program("cc", "gcc")
        argv = [compiler, "-O1", "-shared", "-fPIC", "-o", watcher, HERE / "rig/heap_calls.c"]
        made = subprocess.run(argv, capture_output=True, text=True)
        if made.returncode:
            raise Failed(f"heap_calls.c: {made.stderr}")
        self.env = {"LD_PRELOAD": str(watcher), "HEAP_CALLS": str(self.counts)}

    def calls(self):
        """Name of each thread that ever asked for something -> how often."""
        calls = collections.Counter()
        for name, count in RECORD.iter_unpack(pathlib.Path(self.counts).read_bytes()):
            calls[name.rstrip(b"\0").decode()] += count
        return calls
