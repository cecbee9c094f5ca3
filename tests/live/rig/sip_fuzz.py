#!/usr/bin/env python3
"""sip_fuzz.py HOST:PORT [--user U] [--pid PID] [--only edge|order|sdp|tcp|mutate] [--count 2000] [--seed 1] [--rate 200]

Hostile and merely odd SIP against one UDP+TCP port; after each case (for the mutations: after every 100) OPTIONS must be answered.
  edge    datagrams that are no SIP, huge headers, counts and numbers out of range
  order   transaction and dialog rules: the same INVITE twice, no ACK, merged requests, stray ACK/CANCEL/BYE/PRACK/responses, CANCEL races
  sdp     INVITEs with odd offers (answered or refused, never ignored, never 500)
  tcp     framing: byte by byte, two in one segment, no Content-Length, cut off, idle connections, giant Content-Length
  mutate  --count mutations of valid requests and of the RFC 4475 messages (reproducible by --seed)
Every case that starts a call ends it.  With --pid RSS and open descriptors of the target are watched for leaks.
Exit 3 if the target died or stayed silent."""

import argparse
import glob
import json
import os
import random
import re
import select
import socket
import sys
import time

from message import addr_tag, addr_uri, parse_msg, rnd, simple_response
from offer import sdp_parse
from ping import options_ping
from rtp import rtp_pack

# The messages of RFC 4475, which the parser's own tests read too.
MESSAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../sip-rtp/tests/torture")


class T:
    def __init__(self, o):
        self.o = o
        self.host, _, p = o.target.partition(":")
        self.port = int(p)
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.ip, self.lp = self.s.getsockname()
        self.res, self.bad = [], 0

    def msg(
        self,
        method="INVITE",
        body=b"",
        extra="",
        cid=None,
        branch=None,
        cseq=1,
        cmeth=None,
        totag="",
        fromtag=None,
        ctype="application/sdp",
        uri=None,
        cl=None,
        tr="UDP",
        lp=None,
        via=None,
    ):
        cid = cid or rnd(12)
        b = branch or "z9hG4bK" + rnd(10)
        h = [
            "%s %s SIP/2.0" % (method, uri or "sip:%s@%s:%d" % (self.o.user, self.host, self.port)),
            via or "Via: SIP/2.0/%s %s:%d;branch=%s;rport" % (tr, self.ip, lp or self.lp, b),
            "Max-Forwards: 70",
            "From: <sip:fuzz@%s:%d>;tag=%s" % (self.ip, self.lp, fromtag or "f" + cid),
            "To: <sip:%s@%s:%d>%s" % (self.o.user, self.host, self.port, ";tag=" + totag if totag else ""),
            "Call-ID: " + cid,
            "CSeq: %s %s" % (cseq, cmeth or method),
            "Contact: <sip:fuzz@%s:%d%s>" % (self.ip, lp or self.lp, "" if tr == "UDP" else ";transport=tcp"),
        ]
        if extra:
            h.append(extra)
        if body:
            h.append("Content-Type: " + ctype)
        h.append("Content-Length: %s" % (len(body) if cl is None else cl))
        return ("\r\n".join(h) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body

    def sdp(
        self, m="m=audio %d RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000", c="c=IN IP4 127.0.0.1", extra=""
    ):
        return (
            "v=0\r\no=f 1 1 IN IP4 127.0.0.1\r\ns=-\r\n%s%st=0 0\r\n%s\r\n%s"
            % (c, "\r\n" if c else "", (m % 39000) if "%d" in m else m, extra)
        ).encode()

    def send(self, d):
        try:
            self.s.sendto(d, (self.host, self.port))
        except OSError:
            time.sleep(0.01)
            try:
                self.s.sendto(d, (self.host, self.port))
            except OSError:
                pass

    def recv(self, wait=0.4, cid=None, final=False, sock=None):
        """messages with this Call-ID within `wait`; stops at a final answer if final"""
        out, end = [], time.monotonic() + wait
        while True:
            t = end - time.monotonic()
            if t <= 0 or not select.select([sock or self.s], [], [], t)[0]:
                return out
            try:
                d = (sock or self.s).recv(65536)
            except OSError:
                continue
            if not d:
                return out
            for part in re.split(rb"(?=SIP/2\.0 \d\d\d )", d):
                m = parse_msg(part) if part.strip() else None
                if not m or (cid and m.get("call-id") != cid):
                    continue
                m.t = time.monotonic()
                out.append(m)
                if m.method and m.method != "ACK":
                    self.send(simple_response(m, 200, "OK"))
                if final and m.status >= 200:
                    return out

    def end(self, inv, msgs):
        """ACK / BYE / CANCEL what the INVITE bytes `inv` led to"""
        m = parse_msg(inv)
        if not m or m.method != "INVITE":
            return
        fin = [x for x in msgs if x.status >= 200 and x.cseq[1] == "INVITE"]
        cid = m.get("call-id")
        frm = m.get("from")
        ft = addr_tag(frm or "")
        if not fin and any(x.status for x in msgs):
            self.send(self.msg("CANCEL", cid=cid, branch=m.branch, cseq=m.cseq[0], fromtag=ft))
            more = self.recv(0.5, cid)
            fin = [x for x in more if x.status >= 200 and x.cseq[1] == "INVITE"]
        if fin:
            x = fin[-1]
            tag = addr_tag(x.get("to") or "") or ""
            ct = x.all("contact")
            if x.status < 300:
                u = addr_uri(ct[0]) if ct else None
                self.send(self.msg("ACK", cid=cid, cseq=m.cseq[0], totag=tag, fromtag=ft, uri=u))
                self.send(self.msg("BYE", cid=cid, cseq=m.cseq[0] + 1, totag=tag, fromtag=ft, uri=u))
                self.recv(0.3, cid, True)
            else:
                self.send(self.msg("ACK", cid=cid, branch=m.branch, cseq=m.cseq[0], totag=tag, fromtag=ft))

    def alive(self):
        st, dt = options_ping(self.host, self.port, user=self.o.user)
        if not st:
            time.sleep(1)
            st, dt = options_ping(self.host, self.port, user=self.o.user, timeout=4)
        return st, dt

    def rss(self):
        if not self.o.pid:
            return ""
        try:
            with open("/proc/%d/statm" % self.o.pid) as f:
                r = int(f.read().split()[1]) * 4
            return " rss %d kB fds %d" % (r, len(os.listdir("/proc/%d/fd" % self.o.pid)))
        except OSError:
            return " GONE"

    def case(self, name, want, got, ok=None):
        st, dt = self.alive()
        v = "ok" if ok else ("differs" if ok is not None else "-")
        self.res.append(
            {"case": name, "want": want, "got": got, "verdict": v, "alive": st, "options_ms": round(dt * 1e3, 1)}
        )
        print(
            "%-44s want %-22s got %-28s %-8s%s%s" % (name, want, got, v, "" if st else " DEAD", self.rss()), flush=True
        )
        if not st:
            self.bad += 1
            if not self.alive()[0]:
                print("# target silent: stopping")
                self.finish()

    def finish(self):
        n = {}
        for r in self.res:
            n[r["verdict"]] = n.get(r["verdict"], 0) + 1
        print("# %s; dead: %d" % (n, self.bad))
        if self.o.out:
            json.dump(self.res, open(self.o.out, "w"), indent=1)
        sys.exit(3 if self.bad else 0)

    codes = staticmethod(lambda ms: " ".join("%d" % m.status if m.status else m.method for m in ms) or "-")

    # ------------------------------------------------------------------ edge
    def edge(self):
        inv = lambda **k: self.msg("OPTIONS", **k)
        rndb = random.Random(7)
        C = [
            ("empty datagram", b""),
            ("CRLF", b"\r\n"),
            ("CRLF CRLF keep-alive", b"\r\n\r\n"),
            ("one NUL", b"\0"),
            ("1000 NULs", b"\0" * 1000),
            ("1000 random bytes", bytes(rndb.getrandbits(8) for _ in range(1000))),
            ("60 kB of A", b"A" * 60000),
            ("60 kB random", bytes(rndb.getrandbits(8) for _ in range(60000))),
            ("STUN binding request", b"\0\1\0\0\x21\x12\xa4\x42" + b"x" * 12),
            ("RTP packet", rtp_pack(0, 1, 1, 1, b"\xff" * 160)),
            ("request line only", b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n\r\n"),
            ("request line without end", b"OPTIONS sip:x@127.0.0.1 SIP/2.0"),
            ("status line only", b"SIP/2.0 200 OK\r\n\r\n"),
            ("SIP/2.0 only", b"SIP/2.0"),
            ("HTTP GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("bare LF line ends", inv().replace(b"\r\n", b"\n")),
            ("bare CR line ends", inv().replace(b"\r\n", b"\r")),
            ("leading CRLFs", b"\r\n\r\n\r\n" + inv()),
            ("UTF-8 BOM first", b"\xef\xbb\xbf" + inv()),
            ("lower-case method", inv().replace(b"OPTIONS", b"options")),
            ("20 kB header value", inv(extra="X-Long: " + "a" * 20000)),
            ("20 kB header name", inv(extra="X" * 20000 + ": 1")),
            ("2000 headers", inv(extra="\r\n".join("X-%d: %d" % (i, i) for i in range(2000)))),
            (
                "500 Vias",
                inv(
                    extra="\r\n".join("Via: SIP/2.0/UDP 10.0.0.%d;branch=z9hG4bK%d" % (i % 250, i) for i in range(500))
                ),
            ),
            ("5000 folded lines", inv(extra="X-Fold: a" + "\r\n b" * 5000)),
            (
                "500 Record-Routes",
                inv(extra="Record-Route: " + ", ".join("<sip:10.0.0.%d;lr>" % (i % 250) for i in range(500))),
            ),
            ("header without colon", inv(extra="NoColonHere")),
            ("header only colon", inv(extra=": x")),
            ("empty header lines", inv(extra="X-A:\r\nX-B:   ")),
            ("Content-Length -1", inv(cl="-1")),
            ("Content-Length 99999999999999999999", inv(cl="99999999999999999999")),
            ("Content-Length abc", inv(cl="abc")),
            ("Content-Length 4294967295", inv(cl="4294967295")),
            ("CSeq 4294967296", inv(cseq="4294967296")),
            ("CSeq -1", inv(cseq="-1")),
            ("CSeq empty", inv().replace(b"CSeq: 1 OPTIONS", b"CSeq: ")),
            ("CSeq without method", inv().replace(b"CSeq: 1 OPTIONS", b"CSeq: 1")),
            ("Max-Forwards 256", inv().replace(b"Forwards: 70", b"Forwards: 256")),
            ("Max-Forwards abc", inv().replace(b"Forwards: 70", b"Forwards: abc")),
            ("Via port 99999", inv(via="Via: SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKa;rport")),
            ("Via port 0", inv(via="Via: SIP/2.0/UDP 127.0.0.1:0;branch=z9hG4bKb;rport")),
            ("Via without branch", inv(via="Via: SIP/2.0/UDP %s:%d;rport" % (self.ip, self.lp))),
            ("Via empty", inv(via="Via: ")),
            ("Via to the target itself", inv(via="Via: SIP/2.0/UDP %s:%d;branch=z9hG4bKself" % (self.host, self.port))),
            ("Call-ID empty", inv().replace(b"Call-ID: ", b"Call-ID:\r\nX-Old: ")),
            ("Call-ID 10 kB", inv(cid="c" * 10000)),
            ("From without tag", re.sub(rb";tag=f\w+", b"", inv())),
            ("From tag empty", re.sub(rb";tag=f\w+", b";tag=", inv())),
            ("To garbage", re.sub(rb"To: [^\r]*", b'To: <<<>>>"""', inv())),
            ("URI without host", inv(uri="sip:@")),
            ("URI only colons", inv(uri=":::::")),
            ("tel: URI", inv(uri="tel:+15551234")),
            ("URI IPv6 broken", inv(uri="sip:a@[::1")),
            ("URI with %00", inv(uri="sip:a%00b@127.0.0.1")),
            ("display name with bad UTF-8", re.sub(rb"From: <", b'From: "\xff\xfe\xc3\x28" <', inv())),
            ("quotes that never close", re.sub(rb"From: <", b'From: "aaaa\\" <', inv())),
            ("10000 semicolons", inv(extra="Contact: <sip:a@b>" + ";" * 10000)),
            ("10000 nested <", inv(extra="Contact: " + "<" * 10000)),
            ("10000 commas", inv(extra="Supported: " + "," * 10000)),
            ("10000 backslashes in a quote", inv(extra='Subject: "' + "\\" * 10000)),
            ("Authorization garbage", inv(extra="Authorization: Digest " + 'a="b",' * 2000)),
            ("Date garbage", inv(extra="Date: " + "9" * 3000)),
            ("method of 5000 chars", self.msg("A" * 5000)),
            ("request without any header", b"INVITE sip:x@127.0.0.1 SIP/2.0\r\n\r\nv=0\r\n"),
        ]
        for name, d in C:
            self.send(d)
            ms = self.recv(0.15)
            self.case("edge: " + name, "survive", self.codes(ms))

    # ------------------------------------------------------------------ order
    def order(self):
        sdp = self.sdp()
        # the same INVITE twice
        c = rnd(10)
        i = self.msg(body=sdp, cid=c)
        self.send(i)
        time.sleep(0.05)
        self.send(i)
        ms = self.recv(1.2, c)
        tags = {addr_tag(m.get("to") or "") for m in ms if m.status > 100}
        self.case(
            "order: same INVITE twice -> one To tag",
            "1 tag",
            "%d tag(s), %s" % (len(tags), self.codes(ms)),
            len(tags) == 1,
        )
        self.end(i, ms)
        # no ACK
        c = rnd(10)
        i = self.msg(body=sdp, cid=c)
        t0 = time.monotonic()
        self.send(i)
        ms = self.recv(7.5, c)
        ok = [round(m.t - t0, 2) for m in ms if m.status == 200]
        gaps = [round(b - a, 2) for a, b in zip(ok, ok[1:])]
        self.case(
            "order: no ACK -> 200 again at .5 1 2 4 s",
            ".5 1 2 (4)",
            str(gaps),
            len(gaps) >= 3 and all(abs(g - w) < 0.2 for g, w in zip(gaps, (0.5, 1, 2, 4))),
        )
        self.end(i, ms)
        if not self.o.quick:
            c = rnd(10)
            i = self.msg(body=sdp, cid=c)
            self.send(i)
            ms = self.recv(36, c)
            bye = [m for m in ms if m.method == "BYE"]
            self.case(
                "order: never ACKed -> BYE after 64*T1 = 32 s",
                "BYE",
                "BYE after %.0f s" % (bye[0].t - [m for m in ms if m.status == 200][0].t) if bye else "no BYE in 36 s",
                bool(bye),
            )
            self.end(i, ms)
        # CANCEL at once
        c = rnd(10)
        b = "z9hG4bK" + rnd(8)
        i = self.msg(body=sdp, cid=c, branch=b)
        self.send(i)
        self.send(self.msg("CANCEL", cid=c, branch=b))
        ms = self.recv(1.0, c)
        self.case(
            "order: CANCEL right behind the INVITE",
            "200(CANCEL) + 487 or 200",
            self.codes(ms),
            any(m.cseq[1] == "CANCEL" and m.status in (200, 481) for m in ms)
            and any(m.cseq[1] == "INVITE" and m.status in (200, 487) for m in ms),
        )
        self.end(i, [m for m in ms if m.cseq[1] == "INVITE"])
        # CANCEL before the INVITE
        c = rnd(10)
        b = "z9hG4bK" + rnd(8)
        self.send(self.msg("CANCEL", cid=c, branch=b))
        ms = self.recv(0.5, c)
        self.case("order: CANCEL of nothing", "481", self.codes(ms), any(m.status == 481 for m in ms))
        for meth, want in (
            ("BYE", "481"),
            ("PRACK", "481 405 501"),
            ("UPDATE", "481 405 501"),
            ("INFO", "481 405 501"),
            ("REFER", "481 405 501 403 603"),
            ("NOTIFY", "481 489 405 501"),
            ("INVITE", "481"),
        ):
            c = rnd(10)
            i = self.msg(meth, cid=c, totag="nosuchtag", body=sdp if meth == "INVITE" else b"")
            self.send(i)
            ms = self.recv(0.6, c, True)
            fin = [m.status for m in ms if m.status >= 200]
            self.case(
                "order: %s with an unknown To tag" % meth,
                want,
                self.codes(ms),
                bool(fin) and str(fin[0]) in want.split(),
            )
            self.end(i, ms)
        c = rnd(10)
        self.send(self.msg("ACK", cid=c, totag="x"))
        ms = self.recv(0.3, c)
        self.case("order: stray ACK", "-", self.codes(ms), not ms)
        c = rnd(10)
        self.send(
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKstray\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
            % (self.host.encode(), self.port, c.encode())
        )
        ms = self.recv(0.3, c)
        self.case("order: stray 200", "-", self.codes(ms), not ms)
        # merged: same From tag, Call-ID, CSeq, other branch
        c = rnd(10)
        i = self.msg(body=sdp, cid=c, branch="z9hG4bKm1" + c)
        j = self.msg(body=sdp, cid=c, branch="z9hG4bKm2" + c)
        self.send(i)
        self.send(j)
        ms = self.recv(0.8, c)
        two = [m.status for m in ms if m.branch and m.branch.startswith("z9hG4bKm2") and m.status >= 200]
        self.case("order: merged request (8.2.2.2)", "482 for the second", self.codes(ms), 482 in two)
        self.end(i, [m for m in ms if m.branch and m.branch.startswith("z9hG4bKm1")])
        self.end(j, [m for m in ms if m.branch and m.branch.startswith("z9hG4bKm2")])
        # in-call: BYE with the wrong tags, lower CSeq, re-INVITE overlap, INVITE while the first is unanswered
        c = rnd(10)
        i = self.msg(body=sdp, cid=c, cseq=10)
        self.send(i)
        ms = self.recv(2, c, True)
        fin = [m for m in ms if m.status == 200]
        if fin:
            x = fin[0]
            tag = addr_tag(x.get("to"))
            u = addr_uri(x.all("contact")[0])
            ft = "f" + c
            self.send(self.msg("ACK", cid=c, cseq=10, totag=tag, fromtag=ft, uri=u))
            self.send(self.msg("BYE", cid=c, cseq=11, totag=tag, fromtag="wrong", uri=u))
            r = self.recv(0.6, c, True)
            self.case("order: BYE with a wrong From tag", "481", self.codes(r), any(m.status == 481 for m in r))
            self.send(self.msg("INFO", cid=c, cseq=5, totag=tag, fromtag=ft, uri=u))
            r = self.recv(0.6, c, True)
            self.case(
                "order: in-dialog request with a lower CSeq", "500", self.codes(r), any(m.status == 500 for m in r)
            )
            r1, r2 = (self.msg("INVITE", body=sdp, cid=c, cseq=n, totag=tag, fromtag=ft, uri=u) for n in (12, 13))
            self.send(r1)
            self.send(r2)
            r = self.recv(1.0, c)
            self.case(
                "order: two re-INVITEs at once",
                "200 + 500/491/200",
                self.codes(r),
                len({m.cseq[0] for m in r if m.status >= 200}) == 2,
            )
            for n in (12, 13):
                self.send(self.msg("ACK", cid=c, cseq=n, totag=tag, fromtag=ft, uri=u))
            self.send(self.msg("BYE", cid=c, cseq=20, totag=tag, fromtag=ft, uri=u))
            r = self.recv(0.6, c, True)
            self.case("order: BYE", "200", self.codes(r), any(m.status == 200 and m.cseq[1] == "BYE" for m in r))
            self.send(self.msg("BYE", cid=c, cseq=21, totag=tag, fromtag=ft, uri=u))
            r = self.recv(0.6, c, True)
            self.case("order: second BYE", "481", self.codes(r), any(m.status == 481 for m in r))
        # 50 INVITEs at once, all cancelled or ended
        n = 50
        lot = [(rnd(12), "z9hG4bK" + rnd(10)) for _ in range(n)]
        inv = {c: self.msg(body=sdp, cid=c, branch=b) for c, b in lot}
        for c in inv:
            self.send(inv[c])
        ms = self.recv(2.5)
        by = {}
        for m in ms:
            by.setdefault(m.get("call-id"), []).append(m)
        fin = sum(1 for c in inv if any(m.status >= 200 for m in by.get(c, [])))
        cod = {}
        for c in inv:
            for m in by.get(c, [])[-1:]:
                cod[m.status] = cod.get(m.status, 0) + 1
        for c in inv:
            self.end(inv[c], by.get(c, []))
        self.case("order: %d INVITEs in one burst" % n, "all answered", "%d answered %s" % (fin, cod), fin == n)

    # ------------------------------------------------------------------ sdp
    def sdp_cases(self):
        S = self.sdp
        many = " ".join(str(i) for i in range(96, 128))
        C = [
            ("PCMU only", S("m=audio %d RTP/AVP 0"), "200"),
            ("PCMA only", S("m=audio %d RTP/AVP 8"), "200"),
            ("G.722 only", S("m=audio %d RTP/AVP 9"), "200 488"),
            (
                "opus only",
                S("m=audio %d RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1"),
                "200 488",
            ),
            (
                "opus on PT 96, PCMU dynamic on 97",
                S("m=audio %d RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 PCMU/8000"),
                "200",
            ),
            ("telephone-event on 96", S("m=audio %d RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000"), "200"),
            ("unknown codec only", S("m=audio %d RTP/AVP 99\r\na=rtpmap:99 FOO/8000"), "488"),
            ("G.729 only", S("m=audio %d RTP/AVP 18"), "488"),
            ("telephone-event only", S("m=audio %d RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000"), "488"),
            ("port 0", S("m=audio 0 RTP/AVP 0"), "200 488"),
            ("port 1 (privileged)", S("m=audio 1 RTP/AVP 0"), "200 488"),
            ("port 65535", S("m=audio 65535 RTP/AVP 0"), "200 488"),
            ("port 70000", S("m=audio 70000 RTP/AVP 0"), "400 488"),
            ("port -5", S("m=audio -5 RTP/AVP 0"), "400 488"),
            ("port/2", S("m=audio 39000/2 RTP/AVP 0"), "200 488"),
            ("no c= at all", S(c=""), "400 488 200"),
            ("c=0.0.0.0 in the first offer", S(c="c=IN IP4 0.0.0.0"), "200 488"),
            ("c=multicast", S(c="c=IN IP4 239.1.2.3/127"), "200 488"),
            ("c=broadcast", S(c="c=IN IP4 255.255.255.255"), "200 488"),
            ("c=IP6", S(c="c=IN IP6 ::1"), "200 488"),
            ("c=host name", S(c="c=IN IP4 localhost"), "200 488 400"),
            ("c=garbage", S(c="c=IN IP4 999.999.999.999"), "400 488"),
            ("video only", S("m=video %d RTP/AVP 96\r\na=rtpmap:96 VP8/90000"), "488 200"),
            ("audio + video", S(extra="m=video 39002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"), "200"),
            ("video first", S("m=video 39002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=audio 39000 RTP/AVP 0"), "200"),
            ("two audio lines", S(extra="m=audio 39004 RTP/AVP 8\r\n"), "200"),
            ("100 m-lines", S(extra="m=video 0 RTP/AVP 96\r\n" * 99), "200 488"),
            ("1000 m-lines", S(extra="m=video 0 RTP/AVP 96\r\n" * 1000), "200 488 400 413"),
            (
                "RTP/SAVP with crypto",
                S(
                    "m=audio %d RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
                ),
                "200 488",
            ),
            (
                "UDP/TLS/RTP/SAVPF with fingerprint",
                S(
                    "m=audio %d UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 "
                    + ":".join(["AA"] * 32)
                    + "\r\na=setup:actpass"
                ),
                "200 488",
            ),
            ("RTP/AVPF", S("m=audio %d RTP/AVPF 0"), "200 488"),
            ("T.38", S("m=image %d udptl t38"), "488"),
            ("sendonly", S(extra="a=sendonly\r\n"), "200"),
            ("recvonly", S(extra="a=recvonly\r\n"), "200"),
            ("inactive", S(extra="a=inactive\r\n"), "200"),
            ("ptime 10", S(extra="a=ptime:10\r\n"), "200"),
            ("ptime 60", S(extra="a=ptime:60\r\n"), "200"),
            ("ptime 0", S(extra="a=ptime:0\r\n"), "200"),
            ("ptime 100000", S(extra="a=ptime:100000\r\n"), "200"),
            ("ptime -20", S(extra="a=ptime:-20\r\n"), "200"),
            ("rtcp-mux", S(extra="a=rtcp-mux\r\n"), "200"),
            (
                "ICE attributes",
                S(
                    extra="a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=candidate:1 1 UDP 2130706431 127.0.0.1 39000 typ host\r\n"
                ),
                "200",
            ),
            ("PT 200", S("m=audio %d RTP/AVP 0 200"), "200 488 400"),
            ("PT abc", S("m=audio %d RTP/AVP abc"), "400 488"),
            ("the same PT twice", S("m=audio %d RTP/AVP 0 0 0"), "200"),
            (
                "128 PTs",
                S(
                    "m=audio %%d RTP/AVP 0 %s\r\n%s"
                    % (many, "\r\n".join("a=rtpmap:%d X%d/8000" % (i, i) for i in range(96, 128)))
                ),
                "200",
            ),
            ("rtpmap clock 0", S("m=audio %d RTP/AVP 0 96\r\na=rtpmap:96 opus/0"), "200 488"),
            ("rtpmap clock 99999999999", S("m=audio %d RTP/AVP 0 96\r\na=rtpmap:96 opus/99999999999/2"), "200 488"),
            ("PT 0 mapped to something else", S("m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMA/8000"), "200 488"),
            ("10 kB a= line", S(extra="a=foo:" + "x" * 10000 + "\r\n"), "200"),
            ("3000 a= lines", S(extra="a=x:y\r\n" * 3000), "200 413"),
            ("LF line ends", S().replace(b"\r\n", b"\n"), "200"),
            ("no final CRLF", S().rstrip(b"\r\n"), "200"),
            ("body empty but Content-Type", b" ", "400 488 200"),
            ("v=1", S().replace(b"v=0", b"v=1"), "200 400 488"),
            ("NULs in the SDP", S().replace(b"s=-", b"s=\0\0\0"), "200 400 488"),
            ("lines without =", S(extra="garbage\r\n" * 20), "200 400 488"),
            ("b= bandwidth 0", S(extra="b=AS:0\r\n"), "200"),
            ("o= missing", S().replace(b"o=f 1 1 IN IP4 127.0.0.1\r\n", b""), "200 400 488"),
            (
                "multipart/mixed with SDP inside",
                b"--b\r\nContent-Type: application/sdp\r\n\r\n"
                + S()
                + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n",
                "200 415",
            ),
            ("60 kB SDP", S(extra="a=x:" + "y" * 200 + "\r\n" * 1 + ("a=x:" + "y" * 200 + "\r\n") * 280), "200 413 -"),
        ]
        for name, body, want in C:
            c = rnd(10)
            i = self.msg(
                body=body,
                cid=c,
                ctype="multipart/mixed;boundary=b" if name.startswith("multipart") else "application/sdp",
            )
            self.send(i)
            ms = self.recv(1.5, c, True)
            fin = [m for m in ms if m.status >= 200]
            got = self.codes(ms)
            ok = (str(fin[0].status) in want.split()) if fin else "-" in want.split()
            note = ""
            if fin and fin[0].status == 200:
                a = sdp_parse(fin[0].body)
                n_off = len(re.findall(rb"^m=", body, re.M))
                n_ans = len(re.findall(rb"^m=", fin[0].body, re.M))
                if a:
                    note = " %s p%d %s%s" % (
                        ",".join(a["pts"][:3]),
                        a["port"],
                        a["dir"],
                        "" if n_off == n_ans else " m-lines %d/%d!" % (n_ans, n_off),
                    )
                if n_off != n_ans and not name.startswith("multipart"):
                    ok = False
            self.end(i, ms)
            self.case("sdp: " + name, want, got + note, ok)

    # ------------------------------------------------------------------ tcp
    def tcp(self):
        def conn():
            s = socket.create_connection((self.host, self.port), timeout=3)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return s

        try:
            s = conn()
        except OSError as e:
            print("# no TCP: %s" % e)
            return
        opt = lambda c, s, **k: self.msg("OPTIONS", cid=c, tr="TCP", lp=s.getsockname()[1], **k)
        c = rnd(8)
        for b in opt(c, s):
            s.sendall(bytes([b]))
        ms = self.recv(1.5, c, True, s)
        self.case("tcp: byte by byte", "answer", self.codes(ms), bool(ms))
        s.close()
        s = conn()
        c, d = rnd(8), rnd(8)
        s.sendall(opt(c, s) + opt(d, s))
        ms = self.recv(1.0, None, False, s)
        self.case(
            "tcp: two requests in one segment", "2 answers", self.codes(ms), len({m.get("call-id") for m in ms}) == 2
        )
        s.close()
        s = conn()
        c = rnd(8)
        r = opt(c, s)
        s.sendall(r[:57])
        time.sleep(0.7)
        s.sendall(r[57:])
        ms = self.recv(1, c, True, s)
        self.case("tcp: a pause in the middle", "answer", self.codes(ms), bool(ms))
        s.close()
        s = conn()
        c = rnd(8)
        s.sendall(b"\r\n\r\n" * 3 + opt(c, s))
        ms = self.recv(1, c, True, s)
        self.case("tcp: CRLF keep-alives first", "answer", self.codes(ms), bool(ms))
        s.close()
        s = conn()
        s.sendall(b"\r\n\r\n")
        s.settimeout(1)
        try:
            d = s.recv(10)
        except OSError:
            d = None
        self.case("tcp: CRLFCRLF ping (RFC 5626)", "CRLF pong (or nothing)", repr(d), None)
        s.close()
        s = conn()
        c = rnd(8)
        s.sendall(re.sub(rb"Content-Length: 0\r\n", b"", opt(c, s)))
        ms = self.recv(1, c, True, s)
        self.case("tcp: no Content-Length", "400 or answer", self.codes(ms), None)
        s.close()
        s = conn()
        c = rnd(8)
        s.sendall(opt(c, s, cl="2000000000"))
        ms = self.recv(0.7, c, True, s)
        s.close()
        self.case("tcp: Content-Length 2000000000", "survive", self.codes(ms))
        s = conn()
        s.sendall(b"OPTIONS sip:x SIP/2.0\r\nX: " + b"a" * 300000)
        s.close()
        self.case("tcp: 300 kB header, closed", "survive", "-")
        s = conn()
        try:
            for _ in range(200):
                s.sendall(b"a" * 65536)
            got = "took 13 MB"
        except OSError as e:
            got = "closed: %s" % e.__class__.__name__
        s.close()
        self.case("tcp: 13 MB without a line end", "connection closed", got, got.startswith("closed"))
        lot = []
        try:
            for _ in range(300):
                lot.append(conn())
            got = "300 open"
        except OSError as e:
            got = "%d open, then %s" % (len(lot), e.__class__.__name__)
        self.case("tcp: 300 idle connections", "UDP still answers", got)
        for x in lot:
            x.close()
        s = conn()
        c = rnd(8)
        i = self.msg(body=self.sdp(), cid=c, tr="TCP", lp=s.getsockname()[1])
        s.sendall(i)
        ms = self.recv(1.5, c, True, s)
        s.close()
        time.sleep(0.5)
        self.case("tcp: INVITE, then the connection drops", "call ends", self.codes(ms))
        self.end(i, ms)

    # ------------------------------------------------------------------ mutate
    def mutate(self):
        R = random.Random(self.o.seed)
        base = [open(f, "rb").read() for f in sorted(glob.glob(MESSAGES + "/*.dat"))]
        tok = [
            b"\r\n",
            b"\n",
            b"\0",
            b"\xff",
            b";",
            b",",
            b"<",
            b">",
            b'"',
            b"\\",
            b"%",
            b":",
            b"@",
            b" ",
            b"\t",
            b"-1",
            b"4294967296",
            b"99999999999",
            b"A" * 300,
            b"\r\n ",
            b"\r\n\r\n",
            b"SIP/2.0",
            b"sip:",
            b"tag=",
            b"branch=",
            b"[::1]",
            b"%s%n",
            b"\xc3\x28",
        ]
        t0 = time.monotonic()
        last = None
        for k in range(self.o.count):
            d = bytearray(
                R.choice(base)
                if R.random() < 0.4
                else self.msg(
                    R.choice(
                        [
                            "INVITE",
                            "OPTIONS",
                            "REGISTER",
                            "BYE",
                            "CANCEL",
                            "ACK",
                            "SUBSCRIBE",
                            "NOTIFY",
                            "MESSAGE",
                            "INFO",
                            "REFER",
                            "UPDATE",
                            "PRACK",
                        ]
                    ),
                    body=self.sdp() if R.random() < 0.5 else b"",
                )
            )
            for _ in range(R.randint(1, 12)):
                if not d:
                    break
                p = R.randrange(len(d))
                w = R.random()
                if w < 0.25:
                    d[p] = R.getrandbits(8)
                elif w < 0.45:
                    d[p:p] = R.choice(tok)
                elif w < 0.6:
                    del d[p : p + R.randint(1, 40)]
                elif w < 0.75:
                    q = R.randrange(len(d))
                    d[p:p] = d[q : q + R.randint(1, 200)]
                elif w < 0.85:
                    ls = bytes(d).split(b"\r\n")
                    R.shuffle(ls) if R.random() < 0.1 else ls.insert(R.randrange(len(ls)), R.choice(ls))
                    d = bytearray(b"\r\n".join(ls))
                elif w < 0.95:
                    d[p : p + 1] = bytes([d[p] ^ (1 << R.randrange(8))])
                else:
                    d = d[:p]
            last = bytes(d)
            self.send(last[:60000])
            dt = t0 + (k + 1) / self.o.rate - time.monotonic()
            if dt > 0:
                time.sleep(dt)
            if (k + 1) % 50 == 0:  # end what answered
                for m in self.recv(0.02):
                    if m.status >= 200 and m.status < 300 and m.cseq[1] == "INVITE":
                        ct = m.all("contact")
                        u = addr_uri(ct[0]) if ct else None
                        kw = dict(
                            cid=m.get("call-id"),
                            cseq=m.cseq[0],
                            totag=addr_tag(m.get("to") or "") or "",
                            fromtag=addr_tag(m.get("from") or ""),
                            uri=u,
                        )
                        self.send(self.msg("ACK", **kw))
                        kw["cseq"] += 1
                        self.send(self.msg("BYE", **kw))
            if (k + 1) % self.o.check == 0:
                st, dt = self.alive()
                if not st:
                    open(self.o.save, "wb").write(last)
                    self.case(
                        "mutate: %d..%d (seed %d)" % (k - self.o.check + 1, k, self.o.seed), "survive", "silent", False
                    )
        self.case(
            "mutate: %d messages, seed %d" % (self.o.count, self.o.seed),
            "survive",
            "%.0f/s" % (self.o.count / (time.monotonic() - t0)),
            True,
        )


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = p.add_argument
    a("target")
    a("--user", default="x")
    a("--pid", type=int)
    a("--only")
    a("--count", type=int, default=2000)
    a("--seed", type=int, default=1)
    a("--rate", type=float, default=200)
    a("--out")
    a("--check", type=int, default=100, help="mutations between two OPTIONS")
    a("--save", default="sip_fuzz_last.bin", help="where the last mutation before a silence goes")
    a("--quick", action="store_true", help="leave out the 32 s case")
    o = p.parse_args()
    t = T(o)
    st, dt = t.alive()
    print("# before: OPTIONS -> %s in %.1f ms%s" % (st, dt * 1e3, t.rss()))
    if not st:
        return 2
    for n, f in (("edge", t.edge), ("order", t.order), ("sdp", t.sdp_cases), ("tcp", t.tcp), ("mutate", t.mutate)):
        if not o.only or n in o.only.split(","):
            f()
    t.finish()


sys.exit(main())
