"""One call: its requests, and what comes back."""

import random
import re
import time

from dialog_build import Building
from dialog_called import Called
from dialog_plan import Planned
from endpoint import Tx
from g711 import CODECS
from media import Media
from message import addr_tag, addr_uri, rnd
from offer import sdp_parse
from timing import Loop


class Call(Building, Planned, Called):
    """one dialog; UAC, or UAS when made from an INVITE"""

    def __init__(self, ep, opt, target=None, dest=None, invite=None, media=None):
        self.ep, self.loop, self.opt = ep, ep.loop, opt
        self.target = target
        self.dest = dest
        self.call_id = rnd(20) + "@" + ep.ip
        self.ltag, self.rtag = rnd(10), None
        self.from_uri = opt.from_uri or "sip:%s@%s" % (opt.user, ep.hostport())
        self.to_uri = target
        self.rtarget, self.routes = target, []
        self.cseq = random.randrange(1, 2000)
        self.txs = {}  # branch -> Tx
        self.srv = {}  # branch+method -> last response bytes
        self.state = "idle"
        self.media = (
            media
            if media is not None
            else (Media(self.loop, opt.media_ip or ep.ip, opt, opt.rtp_port) if not opt.no_media else None)
        )
        self.sdp_id, self.sdp_ver = random.getrandbits(31), 1
        self.dir = opt.direction
        self.codecs = opt.codecs
        self.t = {}
        self.codes = []
        self.final = None
        self.ended_by = None
        self.end_reason = None
        self.acks = {}  # cseq -> (ack bytes, dest)
        self.auth_tries = 0
        self.auth_hdr = None
        self.on_end = None
        self.on_state = None
        self.remote_sdp = None
        self.inv_tx = None
        self.offer_in_2xx = False
        self.nonce_count = 0
        self.se = opt.session_expires
        self.got = []  # in-dialog requests received
        self.last_rseq = None
        self.refreshes = 0
        self.timers = []
        self.forks = set()
        self.resent_2xx = None
        ep.calls[self.call_id] = self
        if invite is not None:
            self.role = "uas"
            self._init_uas(invite)
        else:
            self.role = "uac"
            self.peer_to = "<%s>" % self.to_uri

    # ---- requests
    def request(self, method, cb, body=b"", ctype=None, extra=(), cseq=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        branch = "z9hG4bK" + rnd(14)
        data = self.build(method, cseq, branch, body, ctype, extra)
        tx = Tx(self, method, data, branch, self.next_hop() or self.dest, cb)
        tx.cseq, tx.args = cseq, (method, cb, body, ctype, extra)
        self.txs[branch] = tx
        return tx

    def invite(self):
        self.state = "inviting"
        self.t["invite"] = time.monotonic()
        body = b"" if self.opt.delayed_offer else self.sdp()
        self.inv_tx = self.request("INVITE", self._inv_response, body)
        if self.opt.cancel_after is not None:
            self.timers.append(self.loop.after(self.opt.cancel_after, self.cancel))
        if self.opt.ring_timeout:
            self.timers.append(self.loop.after(self.opt.ring_timeout, self._ring_timeout))

    def _ring_timeout(self):
        if self.state in ("inviting", "ringing"):
            self.end_reason = "ring timeout"
            self.cancel()

    def cancel(self):
        if self.state not in ("inviting", "ringing"):
            return
        if not self.codes:  # RFC 3261 9.1: no CANCEL before a provisional
            self.cancel_wanted = True
            return
        tx = self.inv_tx
        self.t["cancel"] = time.monotonic()
        self.state = "cancelling"
        data = self.build("CANCEL", tx.cseq, tx.branch, to="<%s>" % self.to_uri, uri=self.target)
        ctx = Tx(self, "CANCEL", data, tx.branch, tx.dest, self._cancel_response)
        self.txs["C" + tx.branch] = ctx

    cancel_wanted = False

    def _cancel_response(self, m):
        self.cancel_code = m.status if m else None

    cancel_code = None

    def ack_non2xx(self, tx, m):
        to = m.get("to")
        data = self.build("ACK", tx.cseq, tx.branch, to=to, uri=tx.data.split(b" ", 2)[1].decode())
        self.ep.send(data, tx.dest)

    def ack_2xx(self, cseq, body=b""):
        if cseq in self.acks:
            self.ep.send(*self.acks[cseq])
            return
        branch = "z9hG4bK" + rnd(14)
        data = self.build("ACK", cseq, branch, body)
        d = self.next_hop() or self.dest
        self.acks[cseq] = (data, d)
        self.ep.send(data, d)

    def bye(self, cb=None):
        if self.state in ("ended", "byeing"):
            return
        self.state = "byeing"
        self.t["bye"] = time.monotonic()
        self.ended_by = self.ended_by or "local"
        if self.media:
            self.media.done_tx = True
        self.request("BYE", cb or self._bye_response)

    def _bye_response(self, m):
        if m is not None and m.status < 200:
            return
        self.bye_code = m.status if m else None
        self.finish("bye answered %s" % self.bye_code)

    bye_code = None

    def finish(self, why):
        if self.state == "ended":
            return
        self.state = "ended"
        self.end_reason = self.end_reason or why
        self.t["end"] = time.monotonic()
        for h in self.timers:
            Loop.cancel(h)
        for tx in self.txs.values():
            if tx.method != "CANCEL":
                tx.done()
        if self.media:
            self.media.close()
        if self.on_end:
            self.on_end(self)

    def transport_error(self, text):
        self.end_reason = text
        if self.ep.transport != "udp":
            self.final = self.final or -1
            self.finish(text)

    # ---- incoming
    def on_msg(self, m):
        if m.method:
            return self._on_request(m)
        num, meth = m.cseq
        tx = self.txs.get(("C" if meth == "CANCEL" else "") + (m.branch or ""))
        if tx is None:
            return
        if m.status < 200:
            if tx.state == "calling":
                tx.state = "proceeding"
                if tx.method == "INVITE":
                    Loop.cancel(tx.timer)
            tx.cb(m)
            return
        if tx.method == "INVITE" and m.status >= 300:
            self.ack_non2xx(tx, m)
        first = tx.state != "done"
        tx.done()
        if m.status in (401, 407) and first and self._try_auth(m):
            method, cb, body, ctype, extra = tx.args
            ntx = self.request(method, cb, body, ctype, extra)
            if tx is self.inv_tx:
                self.inv_tx = ntx
            return
        if m.status == 422 and first and tx.method in ("INVITE", "UPDATE") and m.get("min-se"):
            self.se = m.get("min-se").split(";")[0].strip()
            method, cb, body, ctype, extra = tx.args
            ntx = self.request(method, cb, body, ctype, extra)
            if tx is self.inv_tx:
                self.inv_tx = ntx
            return
        if not first:
            if tx.method == "INVITE" and 200 <= m.status < 300:
                self.resent_2xx = (self.resent_2xx or 0) + 1
                if not self.opt.no_ack:
                    self.ack_2xx(num)
            return
        tx.cb(m)

    def _learn_dialog(self, m):
        self.rtag = addr_tag(m.get("to") or "") or self.rtag
        ct = m.all("contact")
        if ct:
            self.rtarget = addr_uri(ct[0])
        rr = m.all("record-route")
        if rr and m.status >= 200 or (rr and not self.routes):
            self.routes = list(reversed(rr))

    def _apply_sdp(self, body, start, offer=False):
        a = sdp_parse(body)
        self.remote_sdp = a
        if not a:
            self.media and self.media.note("no audio in SDP")
            return False
        if not self.media:
            return True
        codec, pt = None, None
        for p in a["pts"]:
            n = a["map"][p].split("/")[0].upper()
            if n in CODECS and n in self.codecs:
                codec, pt = CODECS[n], int(p)
                break
        pt_ev = next((int(p) for p in a["pts"] if a["map"][p].lower().startswith("telephone-event/8000")), 101)
        if codec is None:
            self.media.note("no common codec in %s" % a["pts"])
            codec, pt = CODECS["PCMU"], 0
            ok = False
        else:
            ok = True
        ip = a["ip"] or self.dest[0]
        if a["port"] == 0 or ip == "0.0.0.0":
            self.media.sending = False
            ok = ok and a["port"] != 0
        else:
            self.media.sending = a["dir"] in ("sendrecv", "recvonly") and self.dir in ("sendrecv", "sendonly")
            self.media.target(ip, a["port"], codec, pt, pt_ev)
        if start and a["port"]:
            self.media.start()
        return ok

    def _inv_response(self, m):
        if m is None:
            self.final = 408
            self.end_reason = "no final response to INVITE"
            return self.finish("timeout")
        self.codes.append((m.status, m.t))
        if m.status < 200:
            self.t.setdefault(str(m.status), m.t)
            if self.cancel_wanted:
                self.cancel_wanted = False
                return self.cancel()
            if self.state in ("inviting",):
                self.state = "ringing"
            if m.status > 100:
                self._learn_dialog(m)
                rs = m.get("rseq")
                if rs and "100rel" in (m.get("require") or "") and rs != self.last_rseq:
                    self.last_rseq = rs
                    body = b""
                    if self.opt.delayed_offer and m.body:
                        self._apply_sdp(m.body, False)
                        body = self.sdp(answer_to=self.remote_sdp)
                        self.answered_early = True
                    self.request("PRACK", lambda r: None, body, extra=["RAck: %s %s" % (rs, m.get("cseq"))])
                if m.body and self.opt.early and "sdp" in (m.get("content-type") or ""):
                    self._apply_sdp(m.body, True)
            return
        if m.status >= 300:
            self.final = m.status
            self.end_reason = "%d %s" % (m.status, m.reason)
            self.reject = m
            return self.finish("rejected")
        # 2xx
        was = self.state
        self._learn_dialog(m)
        self.final = m.status
        self.t["answer"] = m.t
        self.answer = m
        body = b""
        sdp_in = m.body if m.body and "sdp" in (m.get("content-type") or "").lower() else b""
        if self.opt.delayed_offer and not self.answered_early:
            if sdp_in:
                a = sdp_parse(sdp_in)
                body = self.sdp(answer_to=a) if a else b""
        if not self.opt.no_ack:
            self.ack_2xx(m.cseq[0], body)
            self.t["ack"] = time.monotonic()
        if was == "cancelling":
            return self.bye()
        self.state = "up"
        self.sdp_ok = self._apply_sdp(sdp_in, True) if sdp_in else self.media is not None and self.media.m0 is not None
        if self.on_state:
            self.on_state("up")
        self._session_timer(m)
        self._plan()

    answered_early = False
    sdp_ok = None
    answer = reject = None

    def _session_timer(self, m):
        v = m.get("session-expires")
        if not v or not self.se:
            return
        n = int(re.match(r"\d+", v).group())
        if "refresher=uas" not in v:
            self.timers.append(self.loop.after(n / 2, self._refresh))

    def _refresh(self):
        if self.state != "up":
            return
        allow = (self.answer.get("allow") or "") if self.answer else ""

        def done(m):
            if m is not None and m.status < 200:
                return
            if m is not None and m.cseq[1] == "INVITE" and m.status < 300:
                self.ack_2xx(m.cseq[0])
            if m is not None and m.status < 300:
                self.refreshes += 1
                self._session_timer(m)
            self.media and self.media.note("session refresh: %s" % (m.status if m else "timeout"))

        if "UPDATE" in allow:
            self.request("UPDATE", done)
        else:
            self.request("INVITE", done, self.sdp())

    # ---- report
    def report(self):
        zero = self.media.m0 if self.media and self.media.m0 else self.t.get("invite", 0)
        ms = lambda k: round((self.t[k] - self.t["invite"]) * 1e3, 2) if k in self.t and "invite" in self.t else None
        r = {
            "call_id": self.call_id,
            "role": self.role,
            "target": self.target,
            "final": self.final,
            "codes": [c for c, _ in self.codes],
            "end": self.end_reason,
            "ended_by": self.ended_by,
            "bye_code": self.bye_code,
            "cancel_code": self.cancel_code,
            "ms_from_invite": {
                "100": ms("100"),
                "180": ms("180"),
                "183": ms("183"),
                "answer": ms("answer"),
                "bye": ms("bye"),
                "end": ms("end"),
                "media_start": (
                    round((zero - self.t["invite"]) * 1e3, 2)
                    if self.media and self.media.m0 and "invite" in self.t
                    else None
                ),
            },
            "in_dialog_requests": [[x, round((t - zero) * 1e3, 1)] for x, t in self.got],
            "resent_2xx": self.resent_2xx or 0,
            "session_refreshes": self.refreshes,
        }
        if self.inv_tx:
            r["invite_sent"] = self.inv_tx.n_sent
        src = self.answer or self.reject
        if src:
            r["server"] = src.get("server") or src.get("user-agent")
        if self.remote_sdp:
            a = self.remote_sdp
            r["remote_sdp"] = {
                "ip": a["ip"],
                "port": a["port"],
                "dir": a["dir"],
                "codecs": ["%s %s" % (p, a["map"][p]) for p in a["pts"]],
                "ptime": a["ptime"],
            }
        if self.media:
            r["media"] = self.media.summary(zero)
        return r, zero
