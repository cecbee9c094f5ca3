"""How the messages of a call are written: headers, SDP, digest."""

import hashlib
import re
import socket

from g711 import CODECS
from message import addr_tag, addr_uri, parse_uri, rnd


class Building:
    """A part of its class; see there."""

    # ---- building
    def via(self, branch):
        return "Via: SIP/2.0/%s %s;branch=%s;rport" % (self.ep.transport.upper(), self.ep.hostport(), branch)

    def contact(self):
        p = "" if self.ep.transport == "udp" else ";transport=" + self.ep.transport
        return "<sip:%s@%s%s>" % (self.opt.user, self.ep.hostport(), p)

    def local_hdr(self):
        return '"%s" <%s>;tag=%s' % (self.opt.display, self.from_uri, self.ltag)

    def remote_hdr(self):
        return self.peer_to + (";tag=" + self.rtag if self.rtag and not addr_tag(self.peer_to) else "")

    def build(self, method, cseq, branch, body=b"", ctype=None, extra=(), uri=None, to=None, routes=None):
        h = [
            "%s %s SIP/2.0" % (method, uri or self.rtarget),
            self.via(branch),
            "Max-Forwards: 70",
            "From: " + self.local_hdr(),
            "To: " + (to or self.remote_hdr()),
            "Call-ID: " + self.call_id,
            "CSeq: %d %s" % (cseq, method),
        ]
        for r in (self.routes if routes is None else routes):
            h.append("Route: " + r)
        if method in ("INVITE", "UPDATE", "REFER", "SUBSCRIBE", "OPTIONS", "REGISTER", "PRACK", "INFO"):
            h.append("Contact: " + self.contact())
        if method in ("INVITE", "UPDATE", "OPTIONS"):
            h.append("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, REFER")
            sup = ["timer"] if self.se else []
            if self.opt.rel100:
                sup.append("100rel")
            if sup:
                h.append("Supported: " + ", ".join(sup))
            if self.se and method != "OPTIONS":
                h.append("Session-Expires: %s" % self.se)
        h.append("User-Agent: rig-call.py")
        if self.auth_hdr and method not in ("ACK", "CANCEL"):
            h.append(self._auth_line(method, uri or self.rtarget))
        h += list(extra)
        if method == "INVITE":
            h += self.opt.headers
        if body:
            h.append("Content-Type: " + (ctype or "application/sdp"))
        h.append("Content-Length: %d" % len(body))
        return ("\r\n".join(h) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body

    def next_hop(self):
        if self.ep.transport != "udp":
            return None
        u = addr_uri(self.routes[0]) if self.routes else self.rtarget
        if self.dest_fixed:
            return self.dest
        try:
            _, _, host, port, _ = parse_uri(u)
            return (socket.gethostbyname(host.strip("[]")), port or 5060)
        except (ValueError, OSError):
            return self.dest

    dest_fixed = False

    def sdp(self, answer_to=None, direction=None, hold_c0=False):
        o = self.opt
        ip = "0.0.0.0" if hold_c0 else (o.sdp_ip or o.media_ip or self.ep.ip)
        port = o.sdp_port or (self.media.port if self.media else 9)
        d = direction or self.dir
        if o.sdp_file and not answer_to:
            t = open(o.sdp_file, "rb").read().replace(b"[ip]", ip.encode()).replace(b"[port]", str(port).encode())
            return t.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        pts, lines = [], []
        offered = None
        if answer_to:
            offered = {v.split("/")[0].upper(): k for k, v in answer_to["map"].items() if k in answer_to["pts"]}
        for c in self.codecs:
            pt = str(CODECS[c].pt)
            if offered is not None:
                if c not in offered:
                    continue
                pt = offered[c]
            pts.append(pt)
            lines.append("a=rtpmap:%s %s/8000" % (pt, c))
        if not answer_to:
            for x in o.offer_extra:  # "opus/48000/2:111"
                nm, _, pt = x.rpartition(":")
                pts.insert(0, pt) if o.extra_first else pts.append(pt)
                lines.append("a=rtpmap:%s %s" % (pt, nm))
        ev = "101" if offered is None else offered.get("TELEPHONE-EVENT")
        if ev and not o.no_events:
            pts.append(ev)
            lines += ["a=rtpmap:%s telephone-event/8000" % ev, "a=fmtp:%s 0-15" % ev]
        s = [
            "v=0",
            "o=rig %d %d IN IP%s %s" % (self.sdp_id, self.sdp_ver, "6" if ":" in ip else "4", ip),
            "s=-",
            "c=IN IP%s %s" % ("6" if ":" in ip else "4", ip),
            "t=0 0",
        ]
        am = answer_to["media"] if answer_to else None
        mine = "m=audio %d RTP/AVP %s" % (port, " ".join(pts))
        if am:
            for m in am:
                if m is answer_to or (m["type"] == "audio" and m["port"] == answer_to["port"]):
                    s += [mine] + lines + ["a=ptime:%d" % o.ptime, "a=" + d]
                else:
                    s.append("m=%s 0 %s %s" % (m["type"], m["proto"], " ".join(m["pts"])))
        else:
            s += [mine] + lines + ["a=ptime:%d" % o.ptime, "a=" + d]
        return ("\r\n".join(s) + "\r\n").encode()

    # ---- digest
    def _auth_line(self, method, uri):
        kind, ch = self.auth_hdr
        user, _, pw = self.opt.auth.partition(":")
        alg = ch.get("algorithm", "MD5")
        H = (
            (lambda s: hashlib.sha256(s.encode()).hexdigest())
            if alg.upper().startswith("SHA-256")
            else (lambda s: hashlib.md5(s.encode()).hexdigest())
        )
        ha1 = H("%s:%s:%s" % (user, ch.get("realm", ""), pw))
        ha2 = H("%s:%s" % (method, uri))
        out = 'username="%s", realm="%s", nonce="%s", uri="%s"' % (user, ch.get("realm", ""), ch.get("nonce", ""), uri)
        qop = [q.strip() for q in ch.get("qop", "").split(",") if q.strip()]
        if "auth" in qop:
            self.nonce_count += 1
            nc, cn = "%08x" % self.nonce_count, rnd(12)
            r = H(":".join((ha1, ch.get("nonce", ""), nc, cn, "auth", ha2)))
            out += ', qop=auth, nc=%s, cnonce="%s"' % (nc, cn)
        else:
            r = H("%s:%s:%s" % (ha1, ch.get("nonce", ""), ha2))
        out += ', response="%s", algorithm=%s' % (r, alg)
        if "opaque" in ch:
            out += ', opaque="%s"' % ch["opaque"]
        return "%s: Digest %s" % ("Authorization" if kind == 401 else "Proxy-Authorization", out)

    def _try_auth(self, m):
        if not self.opt.auth or self.auth_tries >= 2:
            return False
        name = "www-authenticate" if m.status == 401 else "proxy-authenticate"
        offered = [
            {
                k.lower(): (a if a is not None and a != "" else b)
                for k, a, b in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', value)
            }
            for key, value in m.h
            if key == name
        ]
        ch = next((c for c in offered if self.opt.digest in (None, c.get("algorithm", "MD5"))), None)
        if not ch:
            return False
        self.auth_hdr = (m.status, ch)
        self.auth_tries += 1
        self.nonce_count = 0
        return True
