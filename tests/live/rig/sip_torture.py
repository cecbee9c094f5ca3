#!/usr/bin/env python3
"""sip_torture.py HOST:PORT [--tcp] [--dir FOLDER] [--wait 0.4] [--user U] [--out JSON] [names...]

Sends each RFC 4475 message (the RFC's own files, byte for byte) to a SIP port, lists what is answered, ends any call a message
started (ACK + BYE, or CANCEL), and checks with OPTIONS that the target still answers.
Answers go where the top Via says (RFC 3261 18.2.2): the sender therefore binds port 5060 of 127.0.0.2 when it can, so that
answers to Vias without rport still arrive.  want: what RFC 4475 says of an element that is the final recipient
(- = no answer; "any" = well-formed, so anything but 400/500 or silence).  ok / differs / silent is a remark, only "dead" is a failure.
"""

import argparse
import glob
import json
import os
import re
import select
import socket
import sys
import time

from message import addr_uri, parse_msg, rnd
from ping import options_ping

# The messages of RFC 4475, which the parser's own tests read too.
MESSAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../sip-rtp/tests/torture")
WANT = {  # name: (section, what it is, acceptable answers)
    "wsinv": ("3.1.1.1", "short tortuous INVITE", "any"),
    "intmeth": ("3.1.1.2", "wide range of characters, unknown method", "405 501"),
    "esc01": ("3.1.1.3", "% escaping", "any"),
    "escnull": ("3.1.1.4", "escaped nulls (REGISTER)", "any"),
    "esc02": ("3.1.1.5", "% when not an escape (unknown method)", "405 501"),
    "lwsdisp": ("3.1.1.6", "no LWS between display name and <", "any"),
    "longreq": ("3.1.1.7", "long values", "any"),
    "dblreq": ("3.1.1.8", "extra octets after a REGISTER", "any"),
    "semiuri": ("3.1.1.9", "semicolon in user part", "any"),
    "transports": ("3.1.1.10", "varied transports in Via", "any"),
    "mpart01": ("3.1.1.11", "multipart MESSAGE", "any"),
    "unreason": ("3.1.1.12", "response, unusual reason", "-"),
    "noreason": ("3.1.1.13", "response, empty reason", "-"),
    "badinv01": ("3.1.2.1", "extraneous separators", "400"),
    "clerr": ("3.1.2.2", "Content-Length too large", "400"),
    "ncl": ("3.1.2.3", "negative Content-Length", "400"),
    "scalar02": ("3.1.2.4", "overlarge scalars in a request", "400"),
    "scalarlg": ("3.1.2.5", "overlarge scalars in a response", "-"),
    "quotbal": ("3.1.2.6", "unterminated quoted string", "400"),
    "ltgtruri": ("3.1.2.7", "<> around Request-URI", "400"),
    "lwsruri": ("3.1.2.8", "LWS in Request-URI", "400"),
    "lwsstart": ("3.1.2.9", "several SP in the request line", "400 any"),
    "trws": ("3.1.2.10", "SP at the end of the request line", "400 any"),
    "escruri": ("3.1.2.11", "escaped headers in Request-URI", "400 any"),
    "baddate": ("3.1.2.12", "bad time zone in Date", "400 any"),
    "regbadct": ("3.1.2.13", "name-addr without <> (REGISTER)", "400 any"),
    "badaspec": ("3.1.2.14", "spaces within addr-spec", "400 any"),
    "baddn": ("3.1.2.15", "non-token display name", "400 any"),
    "badvers": ("3.1.2.16", "SIP/7.0", "505"),
    "mismatch01": ("3.1.2.17", "method and CSeq differ", "400"),
    "mismatch02": ("3.1.2.18", "unknown method and CSeq differ", "400 405 501"),
    "bigcode": ("3.1.2.19", "response code 4294967301", "-"),
    "badbranch": ("3.2.1", "branch is only the magic cookie", "400 any"),
    "insuf": ("3.3.1", "missing required headers", "400"),
    "unkscm": ("3.3.2", "unknown scheme in Request-URI", "416"),
    "novelsc": ("3.3.3", "atypical scheme in Request-URI", "416"),
    "unksm2": ("3.3.4", "unknown schemes in To/From/Contact (REGISTER)", "400 any"),
    "bext01": ("3.3.5", "Require / Proxy-Require unknown", "420"),
    "invut": ("3.3.6", "unknown content type", "415"),
    "regaut01": ("3.3.7", "unknown Authorization scheme", "any"),
    "multi01": ("3.3.8", "single-value headers twice", "400"),
    "mcl01": ("3.3.9", "two Content-Lengths", "400"),
    "bcast": ("3.3.10", "response with a broadcast Via", "-"),
    "zeromf": ("3.3.11", "Max-Forwards 0", "any 483"),
    "cparam01": ("3.3.12", "parameters outside <> (REGISTER)", "any"),
    "cparam02": ("3.3.13", "parameters inside <> (REGISTER)", "any"),
    "regescrt": ("3.3.14", "escaped header in Contact (REGISTER)", "any"),
    "sdp01": ("3.3.15", "Accept without SDP", "406 any"),
    "inv2543": ("3.4.1", "RFC 2543 INVITE", "any"),
    "test": ("-", "SIP version and Via missing (not in the RFC text)", "400 -"),
}


# What a stream changes, and why.
OVER_TCP = {
    # Section 3.1.2.2 has the receiver wait for the rest, and say nothing.
    "clerr": "400 -",
    # The RFC's file ends before the empty line that ends the headers: the message is not complete.
    "baddn": "400 any -",
    # It has no Content-Length, which a stream needs to know where the message ends (RFC 3261 20.14).
    "inv2543": "any 400",
}


def judge(want, codes):
    w = want.split()
    fin = [c for c in codes if c >= 200]
    if not fin:
        return "ok" if "-" in w else ("ok" if any(codes) and "any" in w else "silent")
    c = fin[-1]
    if str(c) in w or ("any" in w and c not in (400, 500)):
        return "ok"
    return "differs"


def open_udp(local):
    for ip, port in ((local, 5060), (local, 0), ("127.0.0.1", 0)):
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((ip, port))
            return s
        except OSError:
            s.close()


def collect(socks, wait, until_final=True):
    """-> [Msg]"""
    out, end = [], time.monotonic() + wait
    while True:
        t = end - time.monotonic()
        if t <= 0:
            return out
        for s in select.select(socks, [], [], t)[0]:
            try:
                d = s.recv(65536)
            except OSError:
                continue
            if not d:
                continue
            # A stream may hand over two answers at once.
            for part in re.split(rb"(?=^SIP/2\.0 \d)", d, flags=re.M):
                m = parse_msg(part) if part.strip() else None
                if m and m.status:
                    out.append(m)
                    if m.status >= 200:
                        end = min(end, time.monotonic() + 0.1)


def clean_up(send, raw, msgs):
    """leave no call behind.  raw: the request bytes"""
    m = parse_msg(raw)
    if not m or m.method != "INVITE":
        return
    head = raw.split(b"\r\n\r\n")[0]
    via = re.search(rb"^(?:via|v)\s*:.*(?:\r\n[ \t].*)*", head, re.I | re.M)
    top = via.group(0) if via else b""
    base = {k: m.get(k) or "" for k in ("from", "call-id")}
    num = m.cseq[0]
    fin = [x for x in msgs if x.status >= 200]

    def req(meth, uri, to, cseq, v):
        return (
            ("%s %s SIP/2.0\r\n" % (meth, uri)).encode()
            + v
            + (
                "\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n"
                % (base["from"], to, base["call-id"], cseq, meth)
            ).encode("utf-8", "surrogateescape")
        )

    if fin:
        x = fin[-1]
        ct = x.all("contact")
        if x.status < 300:
            uri = addr_uri(ct[0]) if ct else m.uri
            nv = b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK%s;rport" % rnd(8).encode()
            send(req("ACK", uri, x.get("to"), num, nv))
            send(
                req(
                    "BYE",
                    uri,
                    x.get("to"),
                    num + 1,
                    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK%s;rport" % rnd(8).encode(),
                )
            )
        else:
            send(req("ACK", m.uri, x.get("to"), num, top))
    elif msgs:
        send(req("CANCEL", m.uri, m.get("to") or "", num, top))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = p.add_argument
    a("target")
    a("names", nargs="*")
    a("--tcp", action="store_true")
    a("--dir", default=MESSAGES)
    a("--wait", type=float, default=0.4)
    a("--user", default="ping")
    a("--local", default="127.0.0.2")
    a("--out")
    a("--show", action="store_true", help="print the answers in full")
    o = p.parse_intermixed_args()
    host, _, port = o.target.partition(":")
    port = int(port)
    tr = "tcp" if o.tcp else "udp"
    st, ms = options_ping(host, port, tr, user=o.user)
    print("# before: OPTIONS -> %s in %.1f ms (%s)" % (st, ms * 1e3, tr))
    if not st:
        return 2
    us = open_udp(o.local)
    ears = [us]
    try:  # a second ear for answers sent to a Via address that is not ours (needs the rigns namespace, ns.sh)
        w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        w.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        w.bind(("0.0.0.0", 5060))
        ears.append(w)
    except OSError:
        pass
    print("# sending from %s:%d, %d ears" % (us.getsockname() + (len(ears),)))
    res, dead, n = {}, [], {"ok": 0, "differs": 0, "silent": 0}
    files = sorted(
        glob.glob(o.dir + "/*.dat"),
        key=lambda f: [int(x) for x in re.findall(r"\d+", WANT.get(os.path.basename(f)[:-4], ("99",))[0])] or [99],
    )
    for f in files:
        name = os.path.basename(f)[:-4]
        if o.names and name not in o.names:
            continue
        raw = open(f, "rb").read()
        sec, what, want = WANT.get(name, ("?", "?", "any"))
        if o.tcp:
            want = OVER_TCP.get(name, want)
        closed = False
        if o.tcp:
            s = socket.create_connection((host, port), timeout=2)
            send = lambda d: s.sendall(d)
            try:
                send(raw)
                msgs = collect([s] + ears, o.wait)
                clean_up(send, raw, msgs)
                s.settimeout(0.02)
                try:
                    closed = s.recv(1) == b""
                except OSError:
                    pass
            except OSError:
                msgs, closed = [], True
            s.close()
        else:
            send = lambda d: us.sendto(d, (host, port))
            try:
                send(raw)
            except OSError:  # an ICMP error from an earlier packet
                time.sleep(0.05)
                send(raw)
            msgs = collect(ears, o.wait)
            try:
                clean_up(send, raw, msgs)
            except OSError:
                pass
            collect(ears, 0.05)
        own = re.search(rb"^(?:call-id|i)\s*:\s*(\S+)", raw, re.I | re.M)
        own = own.group(1).decode("latin-1") if own else None
        late = sum(1 for m in msgs if own and m.get("call-id") not in (None, own))  # answers to an earlier message
        codes = [m.status for m in msgs if not own or m.get("call-id") in (None, own)]
        st, ms = options_ping(host, port, tr, user=o.user)
        v = judge(want, codes)
        n[v] += 1
        if not st:
            dead.append(name)
        res[name] = {
            "want": want,
            "codes": codes,
            "verdict": v,
            "alive": st,
            "options_ms": round(ms * 1e3, 1),
            "closed": closed,
        }
        print(
            (
                "%-9s %-11s %-44s want %-12s got %-16s %-8s%s%s"
                % (
                    sec,
                    name,
                    what,
                    want,
                    " ".join(map(str, codes)) or "-",
                    v,
                    "" if st else " DEAD",
                    " (closed)" if closed else "",
                )
            )
            + (" +%d late" % late if late else ""),
            flush=True,
        )
        if o.show:
            for m in msgs:
                print("          " + m.start)
        if not st:
            time.sleep(2)
            if not options_ping(host, port, tr, user=o.user)[0]:
                print("# the target no longer answers: stopping")
                break
    print("# %s; dead after: %s" % (", ".join("%s %d" % kv for kv in n.items()), " ".join(dead) or "none"))
    if o.out:
        json.dump(res, open(o.out, "w"), indent=1)
    return 3 if dead else 0


sys.exit(main())
