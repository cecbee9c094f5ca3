"""The log in the journal: by journald's own protocol, against a socket that stands where journald's would."""

import os
import shutil
import socket
import struct
import subprocess

from kit import Skipped, case, check
from peers.caller import Caller
from peers.offhook import Offhook

# The service in a mount namespace of its own, where the folder $0 is the journal's.
APART = (
    "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
    'mount --bind "$0" /run/systemd/journal && exec "$@"'
)


class Journal:
    """What journald would have been told since the last look."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # By a short name: the whole path may be longer than a socket's can be.
        handle = os.open(folder, os.O_PATH)
        self.socket.bind(f"/proc/self/fd/{handle}/socket")
        os.close(handle)
        self.socket.setblocking(False)

    def entries(self):
        found = []
        while True:
            try:
                datagram = self.socket.recv(1 << 16)
            except BlockingIOError:
                return found
            if datagram:
                found.append(fields(datagram))


def fields(datagram):
    """systemd's native journal protocol: KEY=value lines, or KEY, a length of 64 bits, and the value."""
    told = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        told[key.decode()] = value.decode(errors="replace")
        datagram = rest
    return told


def service(ground, name, log, connected=False):
    """A service that logs as `log` says; `connected` as a service manager does when stderr is the journal's."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        raise Skipped("a mount namespace is not allowed here: nothing can stand in journald's place")
    folder = ground.place(f"{name}-journal")
    journal = Journal(folder)
    under = ("unshare", "--mount", "--", "sh", "-c", APART, folder)
    offhook = Offhook(ground, settings={"log": {"level": "info", **log}}, name=name, under=under)
    offhook.log_path.touch()
    stderr = offhook.log_path.stat()
    mark = f"{stderr.st_dev}:{stderr.st_ino}" if connected else "1:1"
    offhook.env = {"JOURNAL_STREAM": mark}
    ground.start(offhook)
    ground.start(Caller(ground, offhook.uri("600"), "--duration", "1", name=f"{name}-caller")).finished()
    offhook.may_end = True
    check(offhook.stop() == 0, "it did not end in order")
    return journal.entries(), offhook.log()


@case()
def fields_of_a_call(ground):
    """format = journal: each line an entry with level, program and the call's number, and nothing on stderr"""
    entries, log = service(ground, "journal", {"format": "journal"})
    check(entries, "journald was told nothing")
    answered = [entry for entry in entries if entry.get("MESSAGE", "").startswith("answered")]
    check(len(answered) == 1, f"one call was answered, told {len(answered)} times: {entries}")
    entry = answered[0]
    check(entry.get("CALL") == "1", f"the call's number is a field: {entry}")
    check(entry.get("PRIORITY") == "6", f"info is informational: {entry}")
    check(entry.get("SYSLOG_IDENTIFIER") == "offhook", f"the program: {entry}")
    check("answered" not in log, f"stderr has it too: {log}")
    ground.say(f"{len(entries)} entries")


@case()
def taken_where_it_is_connected(ground):
    """format = auto: the journal where stderr is connected to it, text where the variable is only inherited"""
    entries, log = service(ground, "connected", {"format": "auto"}, connected=True)
    check(any("ready after" in entry.get("MESSAGE", "") for entry in entries), f"not in the journal: {entries}")
    check("ready after" not in log, f"but on stderr: {log}")
    entries, log = service(ground, "inherited", {"format": "auto"})
    check(not entries and "ready after" in log, f"in the journal, and stderr is elsewhere: {entries}")
