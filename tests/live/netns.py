"""A network namespace with nothing in it but loopback, where the machine allows one.

The messages of RFC 4475 name addresses that a machine may really have, and fuzzing makes up more: here none of it can
leave. It also gives each case all ports to itself.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess

# linux/sockios.h, linux/if.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def prefix():
    """What stands before a command to run it in a namespace of its own; empty where that is not allowed."""
    unshare = shutil.which("unshare")
    if not unshare:
        return []
    # Without root a user namespace gives the right to make one; it takes away the right to real-time priority.
    asked = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    command = [unshare, *asked, "--"]
    tried = subprocess.run([*command, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return command if tried.returncode == 0 else []


def raise_loopback():
    """Switches `lo` on; a new namespace has it off. Nothing to do elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(probe, SIOCGIFFLAGS, request), 16)[0]
        if not flags & IFF_UP:
            fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def is_apart():
    """Whether this process sees nothing but loopback."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]
