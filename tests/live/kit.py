"""What every case stands on: its registration, the ground it runs on, and what it may say."""

import contextlib
import importlib
import pathlib
import pkgutil
import random
import socket

import netns

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent

CASES = {}


class Failed(Exception):
    """The case saw something that must not be."""


class Skipped(Exception):
    """The case cannot run here; the text says why and what would help."""


class Case:
    """One case: a function that is handed a Ground, and what the runner must know before it calls it."""

    def __init__(self, run, long, alone, limit_s):
        self.name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        self.about = (run.__doc__ or "").strip().split("\n")[0]
        self.run, self.long, self.alone, self.limit_s = run, long, alone, limit_s


def case(long=False, alone=False, limit_s=60):
    """Registers a function as a case. `long`: only with --long. `alone`: it measures time, so nothing runs beside
    it. `limit_s`: when the runner ends it as failed."""

    def register(run):
        made = Case(run, long, alone, limit_s)
        CASES[made.name] = made
        return run

    return register


def load_cases():
    for module in sorted(m.name for m in pkgutil.iter_modules([str(HERE / "cases")])):
        importlib.import_module(f"cases.{module}")
    return CASES


def check(truth, text):
    if not truth:
        raise Failed(text)


class Ground:
    """Where one case runs: a folder of its own, free ports, and whatever it started, which is stopped at the end in
    reverse order. A peer is a context manager with `tail()`, which is printed when the case fails."""

    def __init__(self, folder, options):
        self.folder = pathlib.Path(folder)
        self.options = options
        self.apart = netns.is_apart()
        self.peers = []
        self._stack = contextlib.ExitStack()
        self._taken = set()
        self._random = random.Random(str(folder))

    def start(self, peer):
        self.peers.append(peer)
        return self._stack.enter_context(peer)

    def close(self):
        self._stack.close()

    def place(self, name):
        """A folder inside the case's own."""
        made = self.folder / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def port(self):
        """A port that UDP and TCP have free on loopback, with the next one (RTCP, TLS) free too. Even, and below
        the system's own range, so that nothing takes it between now and its use."""
        for _ in range(2000):
            port = self._random.randrange(10_000, 30_000, 2)
            if port not in self._taken and is_free(port) and is_free(port + 1):
                self._taken.add(port)
                return port
        raise Failed("no free port on loopback")

    def say(self, text):
        """A figure or a remark that is printed below the case's line."""
        print(f"    {text}", flush=True)


def is_free(port):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
