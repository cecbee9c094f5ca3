"""RTP packets, sockets that stamp arrivals, and the statistics of RFC 3550."""

import random
import socket
import struct
import time

SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)


def rtp_pack(pt, seq, ts, ssrc, payload, marker=False):
    return struct.pack("!BBHII", 0x80, pt | (0x80 if marker else 0), seq & 0xFFFF, ts & 0xFFFFFFFF, ssrc) + payload


def rtp_unpack(d):
    """-> (pt, marker, seq, ts, ssrc, payload) or None"""
    if len(d) < 12 or d[0] >> 6 != 2:
        return None
    b0, b1, seq, ts, ssrc = struct.unpack_from("!BBHII", d)
    o = 12 + 4 * (b0 & 15)
    if b0 & 0x10:
        if len(d) < o + 4:
            return None
        o += 4 + 4 * struct.unpack_from("!H", d, o + 2)[0]
    end = len(d)
    if b0 & 0x20 and end > o:
        end -= d[-1]
    if o > end:
        return None
    return b1 & 0x7F, b1 >> 7, seq, ts, ssrc, d[o:end]


def udp_socket(ip, port=0, stamp=True, rcvbuf=1 << 20):
    s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if stamp:
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    s.bind((ip, port))
    s.setblocking(False)
    return s


_next_rtp = [0]


def rtp_socket_pair(ip, first=0):
    """an even RTP port and the RTCP port after it"""
    if first:
        return udp_socket(ip, first), udp_socket(ip, first + 1)
    if not _next_rtp[0]:
        _next_rtp[0] = 30000 + 2 * random.randrange(10000)
    for _ in range(15000):
        p = _next_rtp[0]
        _next_rtp[0] = 30000 + (p + 2 - 30000) % 30000
        try:
            a = udp_socket(ip, p)
        except OSError:
            continue
        try:
            return a, udp_socket(ip, p + 1)
        except OSError:
            a.close()
    raise OSError("no free RTP port pair")


def recv_stamped(sock):
    """-> (realtime arrival, data, addr) ; kernel time if there is one.  Raises BlockingIOError when empty."""
    data, anc, _, addr = sock.recvmsg(65536, 64)
    for lvl, typ, cd in anc:
        if lvl == socket.SOL_SOCKET and typ == SO_TIMESTAMPNS and len(cd) >= 16:
            s, ns = struct.unpack("qq", cd[:16])
            return s + ns * 1e-9, data, addr
    return time.time(), data, addr


EVENTS = "0123456789*#ABCD"
DTMF_F = {
    c: (r, k)
    for r, row in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for k, c in zip((1209, 1336, 1477, 1633), row)
}


class Stats:
    """RFC 3550 receiver statistics of one SSRC"""

    def __init__(self, seq, ts, t):
        self.base = self.maxseq = seq
        self.cycles = 0
        self.n = self.dup = self.reord = 0
        self.jit = 0.0
        self.transit = None
        self.last_t = t
        self.max_gap = 0.0
        self.recent = set()
        self.exp_prior = self.rcv_prior = 0

    def add(self, seq, ts, t, rate=8000):
        self.n += 1
        d = (seq - self.maxseq) & 0xFFFF
        if self.n > 1:
            if d == 0 or (self.cycles + seq) in self.recent:
                self.dup += 1
            elif d < 0x8000:
                if seq < self.maxseq:
                    self.cycles += 65536
                self.maxseq = seq
            else:
                self.reord += 1
            self.max_gap = max(self.max_gap, t - self.last_t)
        self.recent.add(self.cycles + seq)
        if len(self.recent) > 4096:
            self.recent = set(sorted(self.recent)[-2048:])
        self.last_t = t
        tr = t * rate - ts
        if self.transit is not None:
            dd = abs(tr - self.transit)
            if dd < rate:  # a clock jump is not jitter
                self.jit += (dd - self.jit) / 16
        self.transit = tr

    @property
    def expected(self):
        return self.cycles + self.maxseq - self.base + 1

    @property
    def lost(self):
        return self.expected - (self.n - self.dup)
