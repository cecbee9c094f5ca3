"""What a process uses, from proc(5): processor time of all its threads, memory that is its own share."""

import dataclasses
import os
import pathlib
import time


@dataclasses.dataclass
class Usage:
    """At one moment."""

    at_s: float
    cpu_s: float
    pss_kb: int
    rss_kb: int

    def cores_since(self, before):
        """Cores in use between the two, on the average."""
        return (self.cpu_s - before.cpu_s) / (self.at_s - before.at_s)


def usage(pid):
    # The processor time first: reading the memory takes the kernel its time, which is not the process's.
    at_s, cpu_s = time.monotonic(), cpu(pid)
    pss_kb, rss_kb = memory(pid)
    return Usage(at_s, cpu_s, pss_kb, rss_kb)


def cpu(pid):
    """Seconds on a processor, over all threads that live. In nanoseconds where the kernel counts so (schedstat), else in
    its clock ticks of 10 ms. Packets on loopback are received in the sender's time: this is both halves of ours."""
    total_ns = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total_ns += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            if not task.exists():
                continue  # a thread that just ended
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total_ns / 1e9


def memory(pid):
    """Resident kilobytes: its share (pages that others map too are divided), and all of it."""
    words = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("Pss:") + 1]), int(words[words.index("Rss:") + 1])


def stolen_s():
    """Processor time that the hypervisor gave to others, over all processors, since the start of the machine."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")
