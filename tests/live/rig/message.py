"""SIP messages, read as leniently as a tester needs, and plain answers to them."""

import random
import re

COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "s": "subject",
    "k": "supported",
    "x": "session-expires",
    "e": "content-encoding",
    "r": "refer-to",
    "b": "referred-by",
    "o": "event",
    "u": "allow-events",
}


def split_commas(s):
    out, cur, q, ang, esc = [], "", False, 0, False
    for ch in s:
        if esc:
            esc = False
        elif q and ch == "\\":
            esc = True
        elif ch == '"':
            q = not q
        elif not q and ch == "<":
            ang += 1
        elif not q and ch == ">":
            ang -= 1
        elif ch == "," and not q and ang <= 0:
            out.append(cur.strip())
            cur = ""
            continue
        cur += ch
    if cur.strip():
        out.append(cur.strip())
    return out


def addr_uri(v):
    """the URI of a name-addr / addr-spec header value"""
    m = re.search(r"<([^>]*)>", v)
    return m.group(1) if m else v.split(";")[0].strip()


def addr_tag(v):
    rest = v[v.rfind(">") + 1 :] if ">" in v else v
    m = re.search(r";\s*tag\s*=\s*([^;\s,]+)", rest, re.I)
    return m.group(1) if m else None


class Msg:
    def __init__(self):
        self.start, self.h, self.body = "", [], b""
        self.method = self.uri = None
        self.status, self.reason = 0, ""
        self.t = 0.0
        self.src = None

    def get(self, name, default=None):
        name = name.lower()
        for k, v in self.h:
            if k == name:
                return v
        return default

    def all(self, name):
        name = name.lower()
        out = []
        for k, v in self.h:
            if k == name:
                out += split_commas(v)
        return out

    @property
    def cseq(self):
        p = (self.get("cseq") or "0 ?").split()
        try:
            return int(p[0]), p[1].upper() if len(p) > 1 else "?"
        except ValueError:
            return 0, "?"

    @property
    def branch(self):
        v = self.all("via")
        m = re.search(r";\s*branch\s*=\s*([^;,\s]+)", v[0]) if v else None
        return m.group(1) if m else None


def parse_msg(data):
    head, sep, body = data.partition(b"\r\n\r\n")
    if not sep:
        head, sep, body = data.partition(b"\n\n")
    lines = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    m = Msg()
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        return None
    m.start = lines[0]
    un = []
    for ln in lines[1:]:
        if ln[:1] in (" ", "\t") and un:
            un[-1] += " " + ln.strip()
        elif ln:
            un.append(ln)
    for ln in un:
        k, c, v = ln.partition(":")
        if not c:
            continue
        k = k.strip().lower()
        m.h.append((COMPACT.get(k, k), v.strip()))
    if m.start.startswith("SIP/"):
        p = m.start.split(None, 2)
        try:
            m.status = int(p[1])
        except (IndexError, ValueError):
            return None
        m.reason = p[2] if len(p) > 2 else ""
    else:
        p = m.start.split()
        if len(p) < 3:
            return None
        m.method, m.uri = p[0], p[1]
    cl = m.get("content-length")
    if cl and cl.isdigit():
        body = body[: int(cl)]
    m.body = body
    return m


def parse_uri(u):
    """sip:user@host:port;params -> (scheme, user, host, port or None, params dict)"""
    m = re.match(r"(sips?|tel):(?:([^@]*)@)?(\[[^\]]*\]|[^:;?>]*)(?::(\d+))?(;[^?]*)?", u.strip("<> "), re.I)
    if not m:
        raise ValueError("bad SIP URI: %r" % u)
    params = {}
    for p in (m.group(5) or "").split(";"):
        if p:
            k, _, v = p.partition("=")
            params[k.lower()] = v
    return m.group(1).lower(), m.group(2), m.group(3), int(m.group(4)) if m.group(4) else None, params


def rnd(n=8):
    return "".join(random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(n))


def simple_response(m, code, reason, extra=(), body=b"", ctype=None, tag=None):
    h = ["SIP/2.0 %d %s" % (code, reason)]
    for k, v in m.h:
        if k == "via":
            h.append("Via: " + v)
    for k, v in m.h:
        if k == "record-route":
            h.append("Record-Route: " + v)
    to = m.get("to") or ""
    if tag and not addr_tag(to) and code > 100:
        to += ";tag=" + tag
    h += [
        "From: " + (m.get("from") or ""),
        "To: " + to,
        "Call-ID: " + (m.get("call-id") or ""),
        "CSeq: " + (m.get("cseq") or ""),
    ]
    h += list(extra)
    if ctype:
        h.append("Content-Type: " + ctype)
    h.append("Content-Length: %d" % len(body))
    return ("\r\n".join(h) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body
