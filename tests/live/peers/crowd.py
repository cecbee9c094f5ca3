"""offhook-callers: hundreds of callers in one cheap process (tests/callers)."""

import json
import pathlib
import shutil
import subprocess

from kit import Failed, Skipped, check
from peers.process import Process

# Below the audio thread's own, so that its callers do not hold it up; above everybody else's work.
PRIORITY = 40


class Crowd(Process):
    """Calls `port`; `options` are the program's own. What it tells has a word for when: begin, end, figures."""

    def __init__(self, ground, port, *options, name="crowd", limit_s=120):
        callers = pathlib.Path(ground.options.binary).with_name("offhook-callers")
        if not callers.exists():
            raise Skipped(f"no {callers.name} beside {ground.options.binary}: cargo build -p offhook-callers")
        self.limit_s = limit_s
        argv = [*real_time(PRIORITY), callers, f"127.0.0.1:{port}", *options]
        super().__init__(name, argv, ground.place(name))

    def told(self, when, wait_s):
        """What it said then."""
        self.wait_for(f'"at":"{when}"', wait_s)
        return next(told for told in self._lines() if told["at"] == when)

    def finished(self):
        """Waits for its end; its figures."""
        try:
            code = self.child.wait(self.limit_s)
        except Exception as late:
            raise Failed(f"{self.name}: not done after {self.limit_s} s") from late
        check(code == 0, f"{self.name} ended with {code}: {self.tail()}")
        return self._lines()[-1]

    def _lines(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]


def real_time(priority):
    """What stands before a command to give it this real-time priority; empty where that is not allowed."""
    chrt = shutil.which("chrt")
    if not chrt:
        return []
    command = [chrt, "-f", str(priority)]
    tried = subprocess.run([*command, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return command if tried.returncode == 0 else []
