"""What a stream has to tell when it is over: its log, its recording, its figures."""

import array
import struct

from g711 import CODECS
from rtp import rtp_unpack


class Reporting:
    """A part of its class; see there."""

    # ---- reports
    def rel(self, mono, zero):
        return (mono - zero) * 1e3

    def write_log(self, path, zero):
        rows = []
        for t, d, addr in self.rx:
            u = rtp_unpack(d)
            ms = self.rel(t - self.off, zero)
            if u is None:
                rows.append((ms, "rx,,,,,,%d,,%s:%d not-rtp" % (len(d), addr[0], addr[1])))
                continue
            pt, mk, seq, ts, ssrc, pl = u
            lev = ""
            note = ""
            if pt in (0, 8):
                lev = "%.1f" % CODECS["PCMU" if pt == 0 else "PCMA"].level(pl)
            if pt == self.pt_ev and len(pl) == 4:
                e = struct.unpack("!BBH", pl)
                note = "event %d%s dur %d" % (e[0], " end" if e[1] & 0x80 else "", e[2])
            rows.append((ms, "rx,%d,%d,%d,%d,%08x,%d,%s,%s" % (pt, mk, seq, ts, ssrc, len(pl), lev, note)))
        for due, sent, pt, mk, seq, ts, ln, note in self.tx:
            if sent is None:
                rows.append(
                    (self.rel(due, zero), "tx-lost,%d,%d,%d,%d,%08x,%d,,%s" % (pt, mk, seq, ts, self.ssrc, ln, note))
                )
            else:
                rows.append(
                    (
                        self.rel(sent, zero),
                        "tx,%d,%d,%d,%d,%08x,%d,,late %.0f us%s"
                        % (pt, mk, seq, ts, self.ssrc, ln, (sent - due) * 1e6, " " + note if note else ""),
                    )
                )
        for t, text in self.events:
            rows.append((self.rel(t, zero), "event,,,,,,,,%s" % text))
        rows.sort(key=lambda r: r[0])
        with open(path, "w") as f:
            f.write("t_ms,kind,pt,marker,seq,ts,ssrc,len,level_db,note\n")
            for ms, s in rows:
                f.write("%.3f,%s\n" % (ms, s))

    def rx_timeline(self, zero):
        """received audio on the arrival timeline: a stream keeps its RTP spacing; it is re-anchored at its arrival
        time when SSRC changes or when spacing and arrival disagree by more than 100 ms (a pause without packets)."""
        out = array.array("h")
        anchor = None  # (ssrc, ts, pos)
        n_anchor = 0
        for t, d, _ in self.rx:
            u = rtp_unpack(d)
            if not u or u[0] not in (0, 8):
                continue
            pt, mk, seq, ts, ssrc, pl = u
            pos_arr = int(round((t - self.off - zero) * 8000))
            if anchor and anchor[0] == ssrc:
                dts = (ts - anchor[1]) & 0xFFFFFFFF
                if dts >= 0x80000000:
                    dts -= 1 << 32
                pos = anchor[2] + dts
            else:
                pos = None
            if pos is None or abs(pos - pos_arr) > 800:
                pos = pos_arr
                anchor = (ssrc, ts, pos)
                n_anchor += 1
            if pos < 0:
                continue
            pcm = CODECS["PCMU" if pt == 0 else "PCMA"].decode(pl)
            end = pos + len(pcm)
            if len(out) < end:
                out.extend(array.array("h", bytes(2 * (end - len(out)))))
            out[pos:end] = pcm
        return out, n_anchor

    def tx_timeline(self):
        out = array.array("h")
        for s, pl, codec in self.tx_audio:
            pos = int(round(s * 8000))
            pcm = codec.decode(pl)
            end = pos + len(pcm)
            if len(out) < end:
                out.extend(array.array("h", bytes(2 * (end - len(out)))))
            out[pos:end] = pcm
        return out

    def summary(self, zero):
        err = sorted((s - d) * 1e6 for d, s, *_ in self.tx if s is not None)

        def pc(p):
            return round(err[min(len(err) - 1, int(p * len(err)))], 1) if err else None

        res = {
            "local_port": self.port,
            "remote": "%s:%d" % self.remote if self.remote else None,
            "codec": self.codec.name,
            "pt": self.pt,
            "event_pt": self.pt_ev,
            "tx": {
                "packets": self.tx_n,
                "dropped_by_trace": sum(1 for x in self.tx if x[1] is None),
                "ssrc": "%08x" % self.ssrc,
                "late_us": {
                    "p50": pc(0.5),
                    "p95": pc(0.95),
                    "p99": pc(0.99),
                    "max": round(err[-1], 1) if err else None,
                },
            },
        }
        rx = []
        for ssrc, st in self.rxst.items():
            rx.append(
                {
                    "ssrc": "%08x" % ssrc,
                    "packets": st.n,
                    "expected": st.expected,
                    "lost": st.lost,
                    "dup": st.dup,
                    "reordered": st.reord,
                    "jitter_ms": round(st.jit / 8, 3),
                    "max_gap_ms": round(st.max_gap * 1e3, 2),
                }
            )
        res["rx"] = rx
        pts = {}
        srcs = set()
        bad = 0
        first = None
        for t, d, a in self.rx:
            srcs.add("%s:%d" % (a[0], a[1]))
            if len(d) < 12 or d[0] >> 6 != 2:
                bad += 1
                continue
            pts[str(d[1] & 0x7F)] = pts.get(str(d[1] & 0x7F), 0) + 1
            first = t if first is None else first
        res["rx_pts"], res["rx_sources"], res["rx_not_rtp"] = pts, sorted(srcs), bad
        res["first_rx_ms"] = round(self.rel(first - self.off, zero), 2) if first else None
        res["dtmf_rx"] = [
            {"digit": d[0], "t_ms": round(self.rel(d[1], zero), 1), "dur_ms": d[2] / 8, "ended": d[3]}
            for d in self.recv_digits
        ]
        res["events"] = [[round(self.rel(t, zero), 1), x] for t, x in sorted(self.events)]
        # turns: for each clip end, the next far-end voice start (response time); for each clip start while the far end
        # was speaking, the far end's next voice end (barge-in stop time)
        ev = sorted(self.events)
        resp, barge, talking = [], [], False
        for i, (t, x) in enumerate(ev):
            if x == "rx voice start":
                talking = True
            elif x == "rx voice end":
                talking = False
            elif x.startswith("play end"):
                nx = next((tt for tt, y in ev[i + 1 :] if y == "rx voice start" or y.startswith("play start")), None)
                if nx is not None and any(tt == nx and y == "rx voice start" for tt, y in ev[i + 1 :]):
                    resp.append(round((nx - t) * 1e3, 1))
            elif x.startswith("play start") and talking:
                nx = next((tt for tt, y in ev[i + 1 :] if y == "rx voice end"), None)
                barge.append(round((nx - t) * 1e3, 1) if nx is not None else None)
        res["response_ms"], res["barge_in_stop_ms"] = resp, barge
        rr = []
        for t, d in self.rtcp_rx:
            o = 0
            while o + 8 <= len(d):
                b0, typ, ln = struct.unpack_from("!BBH", d, o)
                end = o + 4 * (ln + 1)
                if typ in (200, 201) and end <= len(d):
                    p = o + (28 if typ == 200 else 8)
                    for _ in range(b0 & 31):
                        if p + 24 <= end:
                            s, fl, hi, jit = struct.unpack_from("!IIII", d, p)
                            if s == self.ssrc:
                                rr.append(
                                    {
                                        "t_ms": round(self.rel(t - self.off, zero)),
                                        "frac_lost": fl >> 24,
                                        "cum_lost": fl & 0xFFFFFF,
                                        "jitter_ms": round(jit / 8, 2),
                                    }
                                )
                        p += 24
                o = max(end, o + 4)
        res["rtcp_rx"], res["rtcp_on_rtp_port"] = len(self.rtcp_rx), self.rtcp_mux
        if rr:
            res["rtcp_last_report"] = rr[-1]
        return res
