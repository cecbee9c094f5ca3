#!/usr/bin/env python3
"""rtp_fuzz.py sip:user@host:port [--play WAV] [--pid PID] [--pps 10000] [--only a,b] [--out JSON]

Sets up one PCMU call (the code of call.py), keeps a clean 50 pps stream going, and on top of it throws bad RTP and RTCP at the
target's media ports, case by case.  After each case: is the call still up, does OPTIONS answer, does the target's own stream
still arrive at 50 pps, how long was its longest gap, what does the target cost (--pid).  The target should play something
without end (or echo), so that its stream can be watched.  Exit 3 if the call broke or the target died."""

import json
import os
import random
import struct
import sys
import time

from dialog import Call
from endpoint import Endpoint
from ladder import SipLog
from message import parse_uri
from options import finish_options, parser
from ping import options_ping
from rtp import rtp_pack, udp_socket
from timing import Loop

R = random.Random(3)


class Fuzz:
    def __init__(self, loop, c, o):
        self.loop, self.c, self.m, self.o = loop, c, c.media, o
        self.res, self.bad = [], 0
        self.foreign = udp_socket("127.0.0.1")
        self.gen = self.main()

    def step(self):
        if self.c.state != "up":
            print("# the call ended: %s" % self.c.end_reason)
            self.bad += 1
            return self.loop.stop()
        try:
            self.loop.after(next(self.gen), self.step)
        except StopIteration:
            self.c.bye()

    def tx(self, d, n=1, rtcp=False, sock=None):
        for _ in range(n):
            try:
                (sock or self.m.sock).sendto(d, (self.m.remote[0], self.m.remote[1] + (1 if rtcp else 0)))
            except OSError:
                pass

    def pkt(self, pt=0, seq=None, ts=None, ssrc=None, pl=None, mk=False):
        m = self.m
        return rtp_pack(
            pt,
            m.seq if seq is None else seq,
            (m.ts0 + m.k * 160) if ts is None else ts,
            m.ssrc if ssrc is None else ssrc,
            b"\x35\xb5" * 80 if pl is None else pl,
            mk,
        )

    def proc(self):
        if not self.o.pid:
            return None
        try:
            with open("/proc/%d/stat" % self.o.pid) as f:
                p = f.read().rsplit(")", 1)[1].split()
            return (int(p[11]) + int(p[12])) / os.sysconf("SC_CLK_TCK"), int(p[21]) * 4
        except OSError:
            return None

    def case(self, name, gen, settle=1.0):
        n0, t0, p0 = len(self.m.rx), time.time(), self.proc()
        sent = yield from gen
        yield settle
        rx = [t for t, _, _ in self.m.rx[n0:]]
        dt = time.time() - t0
        gaps = [b - a for a, b in zip([t0] + rx, rx + [time.time()])]
        tail = [t for t in rx if t > time.time() - 0.8]
        p1 = self.proc()
        frn = 0
        while True:
            try:
                self.foreign.recv(65536)
                frn += 1
            except OSError:
                break
        s = self.c.target[4:].split("@")[-1].split(";")[0]
        h, _, pt = s.partition(":")
        st, od = options_ping(h, int(pt or 5060), user=self.c.target[4:].split("@")[0], timeout=1.5)
        ok = bool(st) and len(tail) >= 30
        r = {
            "case": name,
            "sent": sent,
            "s": round(dt, 2),
            "rx": len(rx),
            "rx_pps": round(len(rx) / dt, 1),
            "tail_pps": round(len(tail) / 0.8, 1),
            "max_gap_ms": round(max(gaps) * 1e3, 1),
            "foreign_rx": frn,
            "alive": st,
            "cpu_pct": round((p1[0] - p0[0]) / dt * 100, 1) if p0 and p1 else None,
            "rss_kb": p1[1] if p1 else None,
            "ok": ok,
        }
        self.res.append(r)
        if not ok:
            self.bad += 1
        print(
            "%-44s sent %6d in %5.2f s  rx %5.1f/s then %5.1f/s  max gap %7.1f ms%s  options %s %.0f ms%s  %s"
            % (
                name,
                sent,
                dt,
                r["rx_pps"],
                r["tail_pps"],
                r["max_gap_ms"],
                "  FOREIGN got %d" % frn if frn else "",
                st,
                od * 1e3,
                "  cpu %s%% rss %s" % (r["cpu_pct"], r["rss_kb"]) if p1 else "",
                "ok" if ok else "BROKEN",
            ),
            flush=True,
        )

    def many(self, pkts, gap=0.002, **k):
        n = 0
        for d in pkts:
            self.tx(d, **k)
            n += 1
            if gap:
                yield gap
        return n

    def flood(self, make, secs, **k):
        n, t0 = 0, time.monotonic()
        while True:
            e = time.monotonic() - t0
            if e > secs:
                return n
            while n < e * self.o.pps:
                self.tx(make(n), **k)
                n += 1
            yield 0.001

    def idle(self, s):
        yield s
        return 0

    def main(self):
        m, P = self.m, self.pkt
        rb = lambda n: bytes(R.getrandbits(8) for _ in range(n))
        yield 1.5
        cases = [
            ("clean", self.idle(2)),
            ("version 0, 1, 3", self.many([bytes([v << 6]) + P()[1:] for v in (0, 1, 3)] * 20)),
            ("short: 0..11 bytes", self.many([P()[:n] for n in range(12)] * 10)),
            ("header only, no payload", self.many([P(pl=b"")] * 50)),
            ("CSRC count 15, packet too short for it", self.many([bytes([0x8F]) + P(pl=b"\xff" * 10)[1:]] * 50)),
            ("CSRC count 15, long enough", self.many([bytes([0x8F]) + P(pl=b"\0" * 60 + b"\xff" * 160)[1:]] * 50)),
            ("extension bit, no room", self.many([bytes([0x90]) + P(pl=b"\xbe\xde")[1:]] * 50)),
            ("extension length 65535", self.many([bytes([0x90]) + P(pl=b"\xbe\xde\xff\xff" + b"\xff" * 160)[1:]] * 50)),
            (
                "padding 0, 255, more than there is",
                self.many([bytes([0xA0]) + P(pl=b"\xff" * 40 + bytes([n]))[1:] for n in (0, 255, 41, 42, 1)] * 10),
            ),
            ("all bits: 0xBF, 4 bytes", self.many([b"\xbf\xff\xff\xff"] * 50)),
            (
                "payload types 1..127 (not ours)",
                self.many([P(pt=t) for t in range(1, 128) if t not in (0, 8, m.pt_ev)]),
            ),
            ("PCMA amid PCMU", self.many([P(pt=8)] * 50)),
            ("opus-like PT 111, random payload", self.many([P(pt=111, pl=rb(60)) for _ in range(50)])),
            ("comfort noise PT 13", self.many([P(pt=13, pl=b"\x30")] * 50)),
            (
                "payloads of 1, 3, 159, 161, 333 bytes",
                self.many([P(pl=b"\x30" * n) for n in (1, 3, 159, 161, 333)] * 10),
            ),
            ("payload 1400", self.many([P(pl=b"\x30" * 1400)] * 20)),
            ("payload 9000", self.many([P(pl=b"\x30" * 9000)] * 20)),
            ("payload 65000", self.many([P(pl=b"\x30" * 65000)] * 20)),
            ("the same sequence number 500 times", self.many([P(seq=1234)] * 500, 0.0005)),
            ("old sequence numbers", self.many([P(seq=m.seq - 1000 + i) for i in range(200)])),
            ("sequence +30000", self.many([P(seq=m.seq + 30000 + i) for i in range(20)])),
            ("random sequence numbers", self.many([P(seq=R.getrandbits(16)) for _ in range(200)])),
            ("timestamp +2^31", self.many([P(ts=m.ts0 + 2**31 + 160 * i) for i in range(20)])),
            ("timestamp back an hour", self.many([P(ts=m.ts0 - 8000 * 3600 + 160 * i) for i in range(20)])),
            ("random timestamps", self.many([P(ts=R.getrandbits(32)) for _ in range(200)])),
            ("timestamp stands still", self.many([P(ts=77, seq=m.seq + i) for i in range(50)])),
            ("a new SSRC in every packet", self.many([P(ssrc=R.getrandbits(32)) for _ in range(500)], 0.001)),
            ("one more SSRC, 50 pps", self.many([P(ssrc=0x11223344, seq=i, ts=160 * i) for i in range(50)], 0.02)),
            (
                "our SSRC = the target's own",
                self.many([P(ssrc=int(next(iter(m.rxst), 1)), seq=i, ts=160 * i) for i in range(50)], 0.01),
            ),
            ("events: 0..3 bytes", self.many([P(pt=m.pt_ev, pl=b"\x01\x0a\x00"[:n]) for n in range(4)] * 10)),
            ("event 255", self.many([P(pt=m.pt_ev, pl=b"\xff\x0a\xff\xff")] * 20)),
            (
                "event that never ends",
                self.many(
                    [
                        P(pt=m.pt_ev, pl=struct.pack("!BBH", 5, 10, 160 * (i + 1) & 65535), ts=999, seq=m.seq + i)
                        for i in range(100)
                    ],
                    0.005,
                ),
            ),
            (
                "end without start, 100 new events",
                self.many([P(pt=m.pt_ev, pl=b"\x05\x8a\x03\x20", ts=1000 + i) for i in range(100)]),
            ),
            ("400-byte event packet", self.many([P(pt=m.pt_ev, pl=b"\x05\x0a\x00\xa0" * 100)] * 20)),
            ("RTCP types on the RTP port", self.many([bytes([0x80, t, 0, 1]) + rb(4) for t in range(192, 224)] * 3)),
            ("STUN on the RTP port", self.many([b"\0\1\0\0\x21\x12\xa4\x42" + rb(12)] * 30)),
            ("DTLS ClientHello-like on the RTP port", self.many([b"\x16\xfe\xfd" + rb(200)] * 30)),
            ("random bytes 1..1500", self.many([rb(R.randint(1, 1500)) for _ in range(300)])),
            (
                "RTCP: truncated, wrong lengths",
                self.many(
                    [
                        bytes([0x80 | n, t, l >> 8, l & 255]) + rb(k)
                        for n in (0, 1, 31)
                        for t in (200, 201, 202, 203, 204, 205, 206, 207)
                        for l in (0, 1, 6, 65535)
                        for k in (0, 4, 24)
                    ],
                    0.001,
                    rtcp=True,
                ),
            ),
            ("RTCP BYE for our SSRC", self.many([struct.pack("!BBHI", 0x81, 203, 1, m.ssrc)] * 3, rtcp=True)),
            ("RTCP BYE, 31 SSRCs, no room", self.many([b"\x9f\xcb\x00\x01" + rb(4)] * 10, rtcp=True)),
            (
                "RTCP RR: 255/256 lost, jitter 2^32-1",
                self.many(
                    [
                        struct.pack("!BBHI", 0x81, 201, 7, m.ssrc)
                        + struct.pack("!IIIIII", next(iter(m.rxst), 1), 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0)
                    ]
                    * 20,
                    rtcp=True,
                ),
            ),
            (
                "SDES of 1400 bytes",
                self.many(
                    [struct.pack("!BBHI", 0x81, 202, 349, m.ssrc) + b"\x01\xff" + b"x" * 255 + b"\0" * 1135] * 10,
                    rtcp=True,
                ),
            ),
            (
                "foreign address: 50 pps for 2 s",
                self.many([P(ssrc=0x55667788, seq=i, ts=160 * i) for i in range(100)], 0.02, sock=self.foreign),
            ),
            (
                "foreign address, our SSRC and sequence",
                self.many([P(seq=m.seq + i, ts=m.ts0 + (m.k + i) * 160) for i in range(100)], 0.02, sock=self.foreign),
            ),
        ]
        if self.o.pps:
            cases += [
                (
                    "flood %d pps, good headers, 3 s" % self.o.pps,
                    self.flood(lambda n: P(seq=m.seq + n, ts=m.ts0 + n * 160), 3),
                ),
                ("flood %d pps, one sequence number, 3 s" % self.o.pps, self.flood(lambda n: P(seq=7), 3)),
                ("flood %d pps, random bytes, 3 s" % self.o.pps, self.flood(lambda n: rb(24), 3)),
                (
                    "flood %d pps, a new SSRC each, 3 s" % self.o.pps,
                    self.flood(lambda n: P(ssrc=n * 2654435761 & 0xFFFFFFFF), 3),
                ),
                (
                    "flood %d pps from a foreign address, 3 s" % self.o.pps,
                    self.flood(lambda n: P(ssrc=9, seq=n), 3, sock=self.foreign),
                ),
                (
                    "RTCP flood %d pps, 3 s" % self.o.pps,
                    self.flood(lambda n: struct.pack("!BBHI", 0x80, 201, 1, n & 0xFFFFFFFF), 3, rtcp=True),
                ),
            ]
        cases += [("our stream pauses 3 s", self.pause(3)), ("clean again", self.idle(2))]
        for name, g in cases:
            if self.o.only and not any(x in name for x in self.o.only.split(",")):
                continue
            yield from self.case(name, g)

    def pause(self, s):
        self.m.sending = False
        yield s
        self.m.sending = True
        return 0


def main():
    p = parser()
    p.add_argument("--pid", type=int)
    p.add_argument("--pps", type=int, default=10000)
    p.add_argument("--only")
    p.add_argument("--out")
    o = finish_options(p.parse_args(sys.argv[1:] + ["--codec", "PCMU"]))
    o.duration = None
    if o.rt:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except OSError:
            pass
    loop = Loop()
    _, user, host, port, _ = parse_uri(o.target)
    ep = Endpoint(loop, "127.0.0.1", 0, "udp", None, SipLog(o.sip_log) if o.sip_log else None)
    c = Call(ep, o, target=o.target, dest=(host, port or 5060))
    f = Fuzz(loop, c, o)
    c.on_state = lambda s: loop.after(0.01, f.step)
    c.on_end = lambda _: loop.after(0.05, loop.stop)
    c.invite()
    loop.run()
    if c.final != 200:
        print("# no call: %s" % c.end_reason)
        return 2
    print("# %d cases, %d broken; BYE %s" % (len(f.res), f.bad, c.bye_code))
    if o.out:
        json.dump(f.res, open(o.out, "w"), indent=1)
    return 3 if f.bad else 0


sys.exit(main())
