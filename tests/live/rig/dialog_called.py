"""The called side of a call, and requests inside it."""

import time

from endpoint import T1
from message import addr_tag, addr_uri, simple_response


class Called:
    """A part of its class; see there."""

    # ---- server side
    def _init_uas(self, m):
        self.call_id = m.get("call-id")
        self.ep.calls[self.call_id] = self
        self.rtag = addr_tag(m.get("from") or "")
        self.peer_to = m.get("from")
        self.from_uri = addr_uri(m.get("to"))
        self.dest = m.src
        ct = m.all("contact")
        self.rtarget = addr_uri(ct[0]) if ct else addr_uri(m.get("from"))
        self.routes = m.all("record-route")
        self.t["invite"] = m.t
        self.state = "inviting"
        self.inv = m
        self._reply(m, 100, "Trying")
        if self.opt.ring:
            self._reply(m, 180, "Ringing")
            self.timers.append(self.loop.after(self.opt.ring, self._answer))
        else:
            self._answer()

    def _reply(self, m, code, reason, body=b"", extra=()):
        ex = list(extra)
        if code < 300 and code > 100 and m.method in ("INVITE", "UPDATE", "OPTIONS"):
            ex += [
                "Contact: " + self.contact(),
                "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, REFER",
            ]
        d = simple_response(m, code, reason, ex, body, "application/sdp" if body else None, self.ltag)
        self.srv[(m.branch, m.method)] = d
        self.ep.send(d, m.src)
        return d

    def _answer(self):
        if self.state != "inviting":
            return
        m = self.inv
        if self.opt.reject:
            self.final = self.opt.reject
            self._reply(m, self.opt.reject, "Rejected")
            return self.finish("rejected")
        if m.body:
            ok = self._apply_sdp(m.body, False)
            if not ok:
                self._reply(m, 488, "Not Acceptable Here")
                self.final = 488
                return self.finish("488")
            body = self.sdp(answer_to=self.remote_sdp)
        else:
            body = self.sdp()
            self.offer_in_2xx = True
        d = self._reply(m, 200, "OK", body)
        self.final = 200
        self.t["answer"] = time.monotonic()
        self.state = "up"
        self._retrans_2xx(d, m.src, T1)
        if m.body and self.media:
            self.media.start()
        self._plan()

    acked = False

    def _retrans_2xx(self, d, dest, iv):
        if self.ep.transport == "udp":

            def again(iv):
                if self.acked or self.state == "ended":
                    return
                self.ep.send(d, dest)
                self.timers.append(self.loop.after(min(iv * 2, 4), again, min(iv * 2, 4)))

            self.timers.append(self.loop.after(iv, again, iv))

    def _on_request(self, m):
        k = (m.branch, m.method)
        if m.method == "ACK":
            self.acked = True
            if self.role == "uas" and self.offer_in_2xx and m.body:
                self.offer_in_2xx = False
                self._apply_sdp(m.body, True)
            return
        if k in self.srv:
            self.ep.send(self.srv[k], m.src)
            return
        self.got.append((m.method, m.t))
        if self.media and m.method not in ("INVITE", "BYE"):
            self.media.note("rx %s" % m.method, m.t)
        if m.method == "BYE":
            self._reply(m, 200, "OK")
            self.ended_by = "remote"
            self.t["bye"] = m.t
            self.finish("remote BYE" + (" (%s)" % m.get("reason") if m.get("reason") else ""))
        elif m.method == "CANCEL":
            self._reply(m, 200, "OK")
            if self.state == "inviting":
                self._reply(self.inv, 487, "Request Terminated")
                self.final = 487
                self.finish("cancelled")
        elif m.method in ("INVITE", "UPDATE"):
            extra = []
            se = m.get("session-expires")
            if se:
                extra = ["Session-Expires: " + (se if "refresher" in se else se + ";refresher=uac"), "Require: timer"]
            if m.body:
                self._apply_sdp(m.body, True)
                d = self.remote_sdp["dir"] if self.remote_sdp else "sendrecv"
                ans = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}.get(d, "sendrecv")
                self.media and self.media.note("rx %s dir=%s" % (m.method, d), m.t)
                r = self._reply(m, 200, "OK", self.sdp(answer_to=self.remote_sdp, direction=ans), extra)
            else:
                self.media and self.media.note("rx %s without SDP" % m.method, m.t)
                r = self._reply(m, 200, "OK", self.sdp() if m.method == "INVITE" else b"", extra)
            if m.method == "INVITE":
                self.acked = False
                self._retrans_2xx(r, m.src, T1)
        elif m.method == "REFER":
            self._reply(m, 202, "Accepted")
        elif m.method in ("INFO", "OPTIONS", "NOTIFY", "PRACK", "MESSAGE"):
            self._reply(m, 200, "OK")
        else:
            self._reply(m, 501, "Not Implemented")
