"""The receiving half of a stream: what comes, when, and whether it is voice."""

import struct
import time

from g711 import CODECS
from rtp import EVENTS, Stats, recv_stamped, rtp_unpack


class Receiving:
    """A part of its class; see there."""

    # ---- receiving
    def _rx(self):
        for _ in range(64):
            try:
                t, d, addr = recv_stamped(self.sock)
            except BlockingIOError:
                return
            except OSError as e:  # ICMP port unreachable shows up here
                self.note("rx error %s" % e)
                return
            if len(d) >= 8 and d[0] >> 6 == 2 and 192 <= d[1] <= 223:  # RTCP on the RTP port (RFC 5761)
                self.rtcp_rx.append((t, d))
                self.rtcp_mux += 1
                continue
            self.rx.append((t, d, addr))
            if self.opt.echo_on and self.remote:
                if self.opt.echo:
                    self.loop.at(t - self.off + self.opt.echo / 1e3, self._echo, d, t - self.off + self.opt.echo / 1e3)
                else:
                    self._echo(d, t - self.off)
            u = rtp_unpack(d)
            if not u:
                continue
            pt, mk, seq, ts, ssrc, pl = u
            st = self.rxst.get(ssrc)
            if st is None:
                st = self.rxst[ssrc] = Stats(seq, ts, t)
                if len(self.rxst) == 1:
                    self.note("first rtp from %s:%d pt %d" % (addr[0], addr[1], pt), t - self.off)
                else:
                    self.note("new ssrc %08x" % ssrc, t - self.off)
            st.add(seq, ts, t)
            if pt == self.pt_ev and len(pl) == 4:
                ev, e, dur = struct.unpack("!BBH", pl)
                if self._ev_last != (ssrc, ts):
                    self._ev_last = (ssrc, ts)
                    self.recv_digits.append([EVENTS[ev] if ev < 16 else "?%d" % ev, t - self.off, 0, False])
                    self.note("dtmf rx %s" % self.recv_digits[-1][0], t - self.off)
                if self.recv_digits:
                    self.recv_digits[-1][2] = max(self.recv_digits[-1][2], dur)
                    self.recv_digits[-1][3] |= bool(e & 0x80)
            elif pt in (0, 8):
                self._voice(t - self.off, (CODECS["PCMU"] if pt == 0 else CODECS["PCMA"]).level(pl))
            else:
                pass

    def _echo(self, d, due):
        t = time.monotonic()
        try:
            self.sock.sendto(d, self.remote)
        except OSError:
            return
        u = rtp_unpack(d)
        self.tx_n += 1
        if u:
            self.tx.append((due, t, u[0], u[1], u[2], u[3], len(u[5]), "echo"))

    def _voice(self, t, lev):
        loud = lev > self.opt.threshold
        self.hist = (self.hist + [(t, loud)])[-5:]
        if loud:
            self.last_loud = t + self.ptime / 1e3
        if not self.talk:
            if sum(1 for _, x in self.hist if x) >= 3:
                self.talk = True
                self.talk_t = next(tt for tt, x in self.hist if x)
                self.spoke_since_arm = True
                self.note("rx voice start", self.talk_t)
        else:
            self._voice_timeout(t)

    def _voice_timeout(self, now=None):
        now = now or time.monotonic()
        if self.talk and now - self.last_loud > self.opt.hang / 1e3:
            self.talk = False
            self.hist = []
            self.quiet_t = self.last_loud
            self.note("rx voice end", self.last_loud)

    def _rx_rtcp(self):
        for _ in range(16):
            try:
                t, d, addr = recv_stamped(self.rtcp)
            except (BlockingIOError, OSError):
                return
            self.rtcp_rx.append((t, d))

    def _send_sr(self):
        if self.done_tx or not self.remote:
            return
        now = time.monotonic()
        real = now + self.off
        sec = int(real) + 2208988800
        frac = int((real % 1) * 4294967296) & 0xFFFFFFFF
        ts = (self.ts0 + int((now - self.m0) * 8000)) & 0xFFFFFFFF
        blocks = b""
        for ssrc, st in list(self.rxst.items())[:3]:
            exp, rcv = st.expected, st.n
            de, dr = exp - st.exp_prior, rcv - st.rcv_prior
            st.exp_prior, st.rcv_prior = exp, rcv
            fl = max(0, min(255, int(256 * (de - dr) / de))) if de > 0 else 0
            lost = max(-(1 << 23), min((1 << 23) - 1, exp - rcv)) & 0xFFFFFF
            blocks += struct.pack(
                "!IIIIII", ssrc, fl << 24 | lost, (st.cycles + st.maxseq) & 0xFFFFFFFF, int(st.jit), 0, 0
            )
        n = len(blocks) // 24
        sr = (
            struct.pack("!BBHIIIIII", 0x80 | n, 200, 6 + 6 * n, self.ssrc, sec, frac, ts, self.tx_n, self.tx_oct)
            + blocks
        )
        cn = b"rig@127.0.0.1"
        item = struct.pack("!BB", 1, len(cn)) + cn + b"\0"
        item += b"\0" * (-len(item) % 4)
        sdes = struct.pack("!BBHI", 0x81, 202, (4 + len(item)) // 4, self.ssrc) + item
        try:
            self.rtcp.sendto(sr + sdes, (self.remote[0], self.remote[1] + 1))
        except OSError:
            pass
        self.loop.after(5.0, self._send_sr)

    def close(self):
        self.done_tx = True
        self._rx()  # what is still in the socket buffer
        self.loop.remove(self.sock)
        self.loop.remove(self.rtcp)
        self.sock.close()
        self.rtcp.close()
