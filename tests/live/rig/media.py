"""One stream each way: a paced sender with a script of clips and an impairment trace."""

import math
import random
import socket
import struct
import time

from g711 import CODECS
from media_in import Receiving
from media_report import Reporting
from rtp import DTMF_F, EVENTS, rtp_pack, rtp_socket_pair
from timing import clock_offset


class Media(Receiving, Reporting):
    """one RTP stream each way: paced sender with a clip script and an impairment trace; recorder and log."""

    def __init__(self, loop, ip, opt, first_port=0):
        self.loop, self.opt = loop, opt
        self.sock, self.rtcp = rtp_socket_pair(ip, first_port)
        self.port = self.sock.getsockname()[1]
        if opt.dscp:
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, opt.dscp << 2)
        loop.add(self.sock, self._rx)
        loop.add(self.rtcp, self._rx_rtcp)
        self.off = clock_offset()
        self.remote = None
        self.codec = CODECS["PCMU"]
        self.pt, self.pt_ev = 0, 101
        self.ptime = opt.ptime
        self.ssrc = opt.ssrc if opt.ssrc is not None else random.getrandbits(32)
        self.seq = opt.seq0 if opt.seq0 is not None else random.getrandbits(15)
        self.ts0 = opt.ts0 if opt.ts0 is not None else random.getrandbits(31)
        self.m0 = None  # monotonic time of tick 0
        self.k = 0
        self.sending = True
        self.tx = []  # (due_mono, sent_mono, pt, marker, seq, ts, len, note)
        self.tx_audio = []  # (t from media start, payload, codec) for the stereo record
        self.rx = []  # (t_real, data, addr)
        self.events = []  # (mono, text)
        self.rxst = {}  # ssrc -> Stats
        self.rtcp_rx = []
        self.rtcp_mux = 0
        self.tx_n = self.tx_oct = 0
        self.plays = [dict(p) for p in opt.plays]
        self.play_i = 0  # next not-started item (script order)
        self.cur = None  # (start_k, bytes, item)
        self.clips = {}
        self.dtmf = [dict(d) for d in opt.dtmfs]
        self.evq = []  # pending RFC 4733 packets for coming ticks
        self.trace = opt.trace_data
        self.talk = False  # far end speaking now
        self.talk_t = self.quiet_t = None  # monotonic
        self.spoke_since_arm = False
        self.hist = []
        self.last_loud = None
        self.first_loud = None
        self.armed_at = None
        self.echo_q = 0
        self.done_tx = False
        self.recv_digits = []
        self._ev_last = None
        self.marker_next = True

    # ---- set-up
    def target(self, ip, port, codec, pt, pt_ev):
        self.remote = (ip, port)
        self.codec, self.pt, self.pt_ev = codec, pt, pt_ev

    def prepare(self):
        """encode all clips before the clock starts (the mu-law tables too)"""
        for p in self.plays:
            self._clip(p)
        self.codec.encode([0])

    def _clip(self, p):
        key = (p["file"], self.codec.name)
        if key not in self.clips:
            self.clips[key] = self.codec.encode(p["samples"])
        return self.clips[key]

    def start(self, m0=None):
        if self.m0 is not None:
            return
        self.prepare()
        self.m0 = m0 if m0 is not None else time.monotonic() + 0.005
        self.note("media start")
        if self.opt.no_rtp:
            return
        self.loop.at(self._tick_time(0), self._tick)
        if self.opt.rtcp:
            self.loop.at(self.m0 + 2.5, self._send_sr)

    def note(self, text, t=None):
        self.events.append((t if t is not None else time.monotonic(), text))

    def _tick_time(self, k):
        if self.trace:
            s = self.trace[0]
            n = len(s)
            span = s[-1] + (s[-1] - s[0]) / max(1, n - 1)
            return self.m0 + (k // n) * span + s[k % n]
        return self.m0 + k * self.ptime / 1000.0

    # ---- sending
    def _tick(self):
        if self.done_tx:
            return
        k = self.k
        due = self._tick_time(k)
        if self.sending and not self.opt.echo_on:
            pkt = self._build(k, due)
            if pkt:
                if self.trace:
                    n = len(self.trace[0])
                    base = self._tick_time(k) - self.trace[0][k % n]
                    arr = self.trace[1][k % n]
                    if not arr:
                        self.tx.append((due, None) + pkt[1])
                    for a in arr:
                        self.loop.at(base + a, self._emit, base + a, pkt)
                else:
                    self._emit(due, pkt)
        self.k = k + 1
        self._voice_timeout()
        self.loop.at(self._tick_time(self.k), self._tick)

    def _emit(self, due, pkt):
        if self.done_tx or self.remote is None:
            return
        t = time.monotonic()
        try:
            self.sock.sendto(pkt[0], self.remote)
        except OSError as e:
            self.note("send error %s" % e)
        self.tx.append((due, t) + pkt[1])
        self.tx_n += 1
        self.tx_oct += pkt[1][4]

    def _build(self, k, due):
        spp = 8 * self.ptime
        now_s = due - self.m0
        ts = (self.ts0 + k * spp) & 0xFFFFFFFF
        # DTMF due?
        while self.dtmf and not self.evq and self.dtmf[0]["at"] <= now_s:
            d = self.dtmf.pop(0)
            self.note("dtmf tx %s (%s)" % (d["digit"], self.opt.dtmf_mode))
            if self.opt.dtmf_mode == "info":
                if self.opt.send_info:
                    self.opt.send_info(d["digit"], self.opt.dtmf_dur)
            elif self.opt.dtmf_mode == "inband":
                f1, f2 = DTMF_F[d["digit"]]
                n = 8 * self.opt.dtmf_dur
                s = [
                    int(7000 * (math.sin(2 * math.pi * f1 * i / 8000) + math.sin(2 * math.pi * f2 * i / 8000)))
                    for i in range(n)
                ]
                self.cur = (k, self.codec.encode(s), {"file": "dtmf " + d["digit"], "dtmf": True})
            else:
                ev = EVENTS.index(d["digit"])
                steps = max(1, self.opt.dtmf_dur // self.ptime)
                for i in range(1, steps + 1):
                    self.evq.append((ev, i * spp, i == 1, False, ts))
                for _ in range(3):
                    self.evq.append((ev, steps * spp, False, True, ts))
        if self.evq:
            ev, dur, mk, end, ets = self.evq.pop(0)
            pl = struct.pack("!BBH", ev, (0x80 if end else 0) | 10, dur & 0xFFFF)
            p = self._pkt(self.pt_ev, ets, pl, mk, "event%s" % ("-end" if end else ""))
            self.marker_next = True
            return p
        payload = None
        self._script(k, now_s)
        if self.cur:
            k0, data, item = self.cur
            o = (k - k0) * spp
            payload = data[o : o + spp]
            if len(payload) < spp:
                if len(payload):
                    payload += bytes([self.codec.silence]) * (spp - len(payload))
                else:
                    payload = None
                if item.get("loop"):
                    self.cur = (k + 1, data, item)
                else:
                    if not item.get("dtmf"):
                        end = self._tick_time(k0) + len(data) / 8000.0
                        self.note("play end %s" % item["file"], end)
                        item["end"] = end - self.m0
                        self._arm(end)
                    self.cur = None
        if payload is None:
            if self.opt.idle == "none":
                self.marker_next = True
                return None
            payload = bytes([self.codec.silence]) * spp
        if self.opt.record_stereo:
            self.tx_audio.append((now_s, payload, self.codec))
        mk, self.marker_next = self.marker_next, False
        return self._pkt(self.pt, ts, payload, mk, "")

    def _pkt(self, pt, ts, payload, mk, note):
        s = self.seq & 0xFFFF
        self.seq += 1
        return rtp_pack(pt, s, ts, self.ssrc, payload, mk), (pt, int(mk), s, ts, len(payload), note)

    def _arm(self, t):
        self.armed_at = t
        self.spoke_since_arm = self.talk
        self.arm_talk = self.talk

    def _script(self, k, now_s):
        while self.play_i < len(self.plays):
            p = self.plays[self.play_i]
            mono = self.m0 + now_s
            if p["kind"] == "abs":
                if now_s + 1e-9 < p["at"]:
                    return
            else:
                if self.cur:
                    return  # the previous clip is still playing
                if self.armed_at is None:
                    self._arm(self.m0)
                if p["kind"] == "voice":
                    if "fire" not in p:
                        if self.talk and (self.talk_t >= self.armed_at or self.arm_talk):
                            p["fire"] = max(self.talk_t, self.armed_at) + p["at"]
                        else:
                            return
                    if mono < p["fire"]:
                        return
                else:  # quiet
                    if not self.spoke_since_arm and not self.talk:
                        return
                    self.spoke_since_arm = True
                    if self.talk or self.last_loud is None or mono - self.last_loud < p["at"]:
                        return
            if self.cur and not self.cur[2].get("dtmf"):
                self.note("play cut %s" % self.cur[2]["file"])
            self.cur = (k, self._clip(p), p)
            p["start"] = now_s
            self.note("play start %s" % p["file"], mono)
            self.play_i += 1
