"""OPTIONS, asked without a loop: for use between hostile messages."""

import socket
import time

from message import parse_msg, rnd


def options_ping(host, port, transport="udp", timeout=2.0, local="127.0.0.1", user="ping", retries=3):
    """blocking OPTIONS; -> (status or None, seconds).  Independent of Loop, for use between hostile messages."""
    dest = (socket.gethostbyname(host), port)
    t0 = time.monotonic()
    if transport == "udp":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((local, 0))
    else:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(dest)
        except OSError:
            s.close()
            return None, time.monotonic() - t0
    ip, lp = s.getsockname()[:2]
    cid, br = rnd(16), "z9hG4bK" + rnd(12)
    req = (
        "OPTIONS sip:%s@%s:%d SIP/2.0\r\nVia: SIP/2.0/%s %s:%d;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=%s\r\n"
        "To: <sip:%s@%s:%d>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContact: <sip:%s@%s:%d>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
        % (user, host, port, transport.upper(), ip, lp, br, user, ip, rnd(6), user, host, port, cid, user, ip, lp)
    ).encode()
    try:
        for _ in range(retries if transport == "udp" else 1):
            s.settimeout(timeout / (retries if transport == "udp" else 1))
            try:
                s.sendto(req, dest) if transport == "udp" else s.sendall(req)
                while True:
                    d = s.recv(65536)
                    if not d:
                        return None, time.monotonic() - t0
                    m = parse_msg(d)
                    if m and m.status >= 200 and m.get("call-id") == cid:
                        return m.status, time.monotonic() - t0
            except socket.timeout:
                continue
            except OSError:
                time.sleep(0.1)
                continue
        return None, time.monotonic() - t0
    finally:
        s.close()
