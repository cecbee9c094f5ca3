"""A program that a case runs beside itself: its log, its end, what it costs."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from kit import Failed, Skipped

TAIL_LINES = 40


def program(name, package):
    """The path of a program, or a loud skip."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise Skipped(f"{name} is not installed (package {package}); scripts/setup live installs it")
    return found


class Process:
    """Starts on `with`, ends with it. The log holds both its streams."""

    def __init__(self, name, argv, folder, stdin=False, env=None, stop_signal=signal.SIGTERM, stop_s=5.0):
        self.name, self.argv, self.folder = name, [str(a) for a in argv], pathlib.Path(folder)
        self.log_path = self.folder / f"{name}.log"
        self.stdin, self.env, self.stop_signal, self.stop_s = stdin, env, stop_signal, stop_s
        self.child = None

    def __enter__(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
                env={**os.environ, **(self.env or {})},
            )
        try:
            self.settle()
        except BaseException:
            # `__exit__` is not called when `__enter__` raises.
            self.child.kill()
            self.child.wait()
            raise
        return self

    def settle(self):
        """Returns when the program is of use. Overridden by those that tell."""

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks it to end, then ends it. Returns the exit code, or None when it had to be killed."""
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
        try:
            return self.child.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None

    def running(self):
        return self.child is not None and self.child.poll() is None

    def tell(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def log(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def tail(self):
        return "\n".join(self.log().splitlines()[-TAIL_LINES:])

    def wait_for(self, text, wait_s=5.0, since=0):
        """Waits until the log holds `text` beyond `since`; returns where it ends."""
        end = time.monotonic() + wait_s
        while True:
            ended = not self.running()
            log = self.log()
            at = log.find(text, since)
            if at >= 0:
                return at + len(text)
            if ended:
                raise Failed(f"{self.name} ended with {self.child.returncode} before it said {text!r}")
            if time.monotonic() > end:
                raise Failed(f"{self.name} did not say {text!r} within {wait_s:g} s")
            time.sleep(0.02)

    # What it costs, from proc(5).

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kb(self):
        pages = int(pathlib.Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    def descriptors(self, looks=5):
        """Open descriptors; the least of a few looks, as one of an HTTP request that was just answered may linger."""
        least = len(os.listdir(f"/proc/{self.child.pid}/fd"))
        for _ in range(looks - 1):
            time.sleep(0.01)
            least = min(least, len(os.listdir(f"/proc/{self.child.pid}/fd")))
        return least
