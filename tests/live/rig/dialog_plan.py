"""What an answered call does at which time: hold, refer, keys, INFO, re-INVITE."""

import time


class Planned:
    """A part of its class; see there."""

    # ---- the plan of an established call
    def _plan(self):
        o = self.opt
        base = self.media.m0 if self.media and self.media.m0 else time.monotonic()
        at = lambda t, fn, *a: self.timers.append(self.loop.at(base + t, fn, *a))
        if o.duration is not None:
            at(o.duration, self.bye)
        for a, b, mode in o.holds:
            at(a, self._hold, mode)
            at(b, self._hold, None)
        for t in o.reinvites:
            at(t, self._reinvite)
        for t, uri in o.refers:
            at(t, self._refer, uri)
        for t, text in o.infos:
            at(t, self._info_raw, text)
        if o.rtp_stop is not None and self.media:
            at(o.rtp_stop, self._rtp_stop)
        o.send_info = self._send_info

    def _rtp_stop(self):
        self.media.sending = False
        self.media.note("rtp stopped")

    def _reinvite_done(self, what):
        def cb(m):
            if m is None:
                self.media and self.media.note("%s: timeout" % what)
                return
            if m.status < 200:
                return
            if m.status < 300:
                self.ack_2xx(m.cseq[0])
                if m.body:
                    self._apply_sdp(m.body, False)
            self.media and self.media.note(
                "%s: %d%s"
                % (what, m.status, " dir=" + self.remote_sdp["dir"] if m.status < 300 and self.remote_sdp else "")
            )

        return cb

    def _hold(self, mode):
        if self.state != "up":
            return
        self.sdp_ver += 1
        if mode is None:
            self.dir = self.opt.direction
            self.request("INVITE", self._reinvite_done("resume"), self.sdp())
        elif mode == "c0":
            self.request("INVITE", self._reinvite_done("hold c0"), self.sdp(hold_c0=True))
        else:
            self.dir = mode
            self.request("INVITE", self._reinvite_done("hold " + mode), self.sdp())

    def _reinvite(self):
        if self.state == "up":
            self.request("INVITE", self._reinvite_done("re-INVITE"), self.sdp())

    def _refer(self, uri):
        if self.state == "up":
            self.request(
                "REFER",
                lambda m: self.media and self.media.note("REFER: %s" % (m.status if m else "timeout")),
                extra=["Refer-To: <%s>" % uri, "Referred-By: <%s>" % self.from_uri],
            )

    def _send_info(self, digit, dur):
        if self.state == "up":
            self.request(
                "INFO",
                lambda m: self.media.note("INFO: %s" % (m.status if m else "timeout")),
                ("Signal=%s\r\nDuration=%d\r\n" % (digit, dur)).encode(),
                "application/dtmf-relay",
            )

    def _info_raw(self, text):
        self.request(
            "INFO", lambda m: self.media.note("INFO: %s" % (m.status if m else "timeout")), text.encode(), "text/plain"
        )
