"""A thread of the running service that dies or stands still: noticed, said, and the process ends with its code.

Nothing in the program helps with that: strace makes a thread's system calls fail, as a broken system would.
"""

import contextlib
import signal
import socket
import subprocess
import time

from kit import Skipped, case, check
from peers.caller import Caller
from peers.offhook import Offhook
from peers.process import Process, program

# sysexits.h: EX_SOFTWARE; a service manager starts it again.
FAULT = 70
# The same wait, by the name that it has on x86-64 and on ARM.
WAIT = "?epoll_wait,?epoll_pwait,?epoll_pwait2"


def broken(ground, name, fault):
    """A service in a call, one of whose threads has its system calls spoiled by `fault`."""
    strace = program("strace", "strace")
    offhook = ground.start(Offhook(ground, routes={"604": "agent"}))
    offhook.may_end = True
    for _ in range(100):
        if "speech: ready: " in offhook.http("/ready")[1]:
            break
        time.sleep(0.1)
    ground.start(Caller(ground, offhook.uri("604"), "--duration", "50"))
    offhook.wait_for("answered")
    thread = offhook.threads().get(name)
    check(thread, f"no thread is called {name}: {offhook.threads()}")
    argv = [strace, "-p", thread, "-o", "calls.txt", "-e", f"inject={fault}"]
    tracer = ground.start(Process("strace", argv, ground.place("strace"), stop_signal=signal.SIGINT))
    time.sleep(0.5)
    if not tracer.running() and offhook.running():
        raise Skipped(f"strace may not attach here: {tracer.tail()}")
    return offhook, tracer


def ends(ground, offhook, said, wait_s):
    try:
        code = offhook.child.wait(wait_s)
    except subprocess.TimeoutExpired:
        check(False, f"it still runs after {wait_s} s")
    check(code == FAULT, f"exit code {code}, not {FAULT}")
    check(said in offhook.log(), f"{said!r} does not stand in the log")
    ground.say(f"exit code {code}; {offhook.log().splitlines()[-1]}")


@case(limit_s=60)
def trunk_dies(ground):
    """The trunk thread cannot wait any more: exit code 70, and said which"""
    offhook, _ = broken(ground, "trunk", f"{WAIT}:error=EBADF")
    ends(ground, offhook, "the trunk thread ended; the process ends with it", 10)


@case(limit_s=60)
def http_dies(ground):
    """The HTTP thread cannot wait any more: exit code 70, and said which"""
    offhook, _ = broken(ground, "http", f"{WAIT}:error=EBADF")
    # It waits already: woken, it fails with its next wait.
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", offhook.http_port), timeout=1).close()
    ends(ground, offhook, "the http thread ended; the process ends with it", 10)


@case(limit_s=60)
def speech_dies(ground):
    """The speech thread cannot wait any more: exit code 70, and said which"""
    offhook, _ = broken(ground, "speech", f"{WAIT}:error=EBADF")
    ends(ground, offhook, "the speech thread ended; the process ends with it", 10)


@case(limit_s=60)
def audio_stands_still(ground):
    """The audio thread does not come back from its wait: exit code 70 after 10 s"""
    # In microseconds; longer than the case.
    offhook, tracer = broken(ground, "audio", "clock_nanosleep:delay_exit=90000000")
    said = "the audio thread stands still; the process ends"
    offhook.wait_for(said, 30)
    # A process is not over for its parent while strace holds one of its threads.
    tracer.child.kill()
    ends(ground, offhook, said, 10)
