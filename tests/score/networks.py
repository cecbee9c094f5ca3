"""Thirteen kinds of network, drawn from a seed, as traces for `offhook replay`.

A trace is one stream of 20 ms packets: rows of (seq, send_ms, arrive_ms or None when lost), in order of arrival.
Each kind is built from a few mechanisms below, each of which exists on some customer's premises:

    clock ─► sent ─► lost? ─► base + queue ─► slot ─► held up (stall, fill, detour) ─► overtaking? ─► arrives
"""

import csv

import numpy as np

PACKET_MS = 20.0


class Line:
    """One stream on its way: mechanisms add to `way_ms` or mark packets in `lost` and `twice`."""

    def __init__(self, rng, packets):
        self.rng, self.packets = rng, packets
        self.seconds = np.arange(packets) * PACKET_MS / 1000
        self.way_ms = np.full(packets, 20.0)
        self.lost = np.zeros(packets, bool)
        self.twice = np.zeros(packets, bool)
        self.ppm = 0.0
        self.keeps_order = True

    def queue(self, shape, scale_ms, slot_ms=0.0):
        """Waiting behind others; a radio grid only lets go in slots."""
        wait = self.rng.gamma(shape, scale_ms, self.packets)
        self.way_ms += np.floor(wait / slot_ms) * slot_ms if slot_ms else wait

    def loss(self, share, burst):
        """Gilbert: a good and a bad state; `burst` packets in the bad one on average, 1/(1-share) when random."""
        recovery = 1 / burst
        onset = share * recovery / (1 - share)
        bad = False
        for q, chance in enumerate(self.rng.random(self.packets)):
            bad = chance >= recovery if bad else chance < onset
            self.lost[q] |= bad

    def stalls(self, every_s, mean_ms, drain):
        """Something holds the line: the wait jumps, and goes down by `drain` ms with each ms that passes."""
        wait = 0.0
        for q in range(self.packets):
            if self.rng.random() < PACKET_MS / 1000 / every_s:
                wait = max(wait, self.rng.exponential(mean_ms))
            self.way_ms[q] += wait
            wait = max(0.0, wait - drain * PACKET_MS)

    def fills(self, every_s, lowest_ms, highest_ms):
        """Somebody uploads: a queue fills for seconds and empties in little more than half a second."""
        begin = self.rng.exponential(every_s)
        while begin < self.seconds[-1]:
            rise, height = self.rng.uniform(1.0, 3.0), self.rng.uniform(lowest_ms, highest_ms)
            corners = [begin, begin + rise, begin + rise + 0.6]
            self.way_ms += np.interp(self.seconds, corners, [0.0, height, 0.0], left=0.0, right=0.0)
            begin = corners[-1] + self.rng.exponential(every_s)

    def detour(self, more_ms, lost_packets):
        """The middle third goes another way; the change itself costs packets."""
        begin, end = self.packets // 3, 2 * self.packets // 3
        self.way_ms[begin:end] += more_ms
        self.lost[begin : begin + lost_packets] = True

    def overtaking(self, share, least_ms, most_ms, repeated):
        """Two ways at once: some packets take the longer one, some take both."""
        slow = self.rng.random(self.packets) < share
        self.way_ms[slow] += self.rng.uniform(least_ms, most_ms, slow.sum())
        self.twice |= self.rng.random(self.packets) < repeated
        self.keeps_order = False

    def rows(self):
        sent = np.arange(self.packets) * PACKET_MS * (1 - self.ppm * 1e-6)
        came = sent + self.way_ms
        if self.keeps_order:
            came = np.maximum.accumulate(came)
        rows = []
        for q in range(self.packets):
            if self.lost[q]:
                rows.append((q, sent[q], None))
                continue
            rows.append((q, sent[q], came[q]))
            if self.twice[q]:
                rows.append((q, sent[q], came[q] + self.rng.uniform(0.1, 30.0)))
        return sorted(rows, key=lambda row: row[1] if row[2] is None else row[2])


def wired(line):
    line.queue(1.0, 0.4)


def office_wifi(line):
    line.queue(1.5, 4.0)
    line.stalls(6.0, 45.0, 0.4)
    line.loss(0.005, 1.5)


def crowded_wifi(line):
    line.queue(1.2, 12.0)
    line.stalls(2.0, 90.0, 0.45)
    line.loss(0.02, 2.0)


def mobile(line):
    line.queue(1.3, 16.0, slot_ms=10.0)
    line.stalls(10.0, 120.0, 0.4)
    line.loss(0.01, 3.0)


def uploads(line):
    line.queue(1.0, 2.0)
    line.fills(7.0, 80.0, 260.0)
    line.loss(0.01, 2.5)


def loss_5_single(line):
    line.queue(1.0, 2.0)
    line.loss(0.05, 1 / 0.95)


def loss_5_bursts(line):
    line.queue(1.0, 2.0)
    line.loss(0.05, 4.0)


def loss_10_bursts(line):
    line.queue(1.0, 4.0)
    line.loss(0.10, 3.0)


def jitter_200(line):
    line.way_ms += line.rng.uniform(0.0, 200.0, line.packets)
    line.keeps_order = False


def two_ways(line):
    line.queue(1.0, 2.0)
    line.overtaking(0.04, 20.0, 70.0, 0.01)


def detour(line):
    line.queue(1.0, 3.0)
    line.detour(90.0, 6)


def fast_clock(line):
    line.queue(1.0, 2.0)
    line.ppm = 200.0


def slow_clock(line):
    line.queue(1.0, 2.0)
    line.ppm = -200.0


KINDS = {
    "wired": wired,
    "office-wifi": office_wifi,
    "crowded-wifi": crowded_wifi,
    "mobile": mobile,
    "uploads": uploads,
    "loss-5-single": loss_5_single,
    "loss-5-bursts": loss_5_bursts,
    "loss-10-bursts": loss_10_bursts,
    "jitter-200": jitter_200,
    "two-ways": two_ways,
    "detour": detour,
    "fast-clock": fast_clock,
    "slow-clock": slow_clock,
}


def write(path, kind, seed, seconds):
    """Draws `kind` from `seed` and writes it. Each kind has its own series, whichever others are drawn."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    line = Line(rng, round(seconds * 1000 / PACKET_MS))
    KINDS[kind](line)
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["seq", "send_ms", "arrive_ms"])
        for seq, send, arrive in line.rows():
            out.writerow([seq, f"{send:.3f}", "" if arrive is None else f"{arrive:.3f}"])
