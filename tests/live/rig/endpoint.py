"""A SIP transport that hands messages to calls, and the client transaction."""

import re
import socket
import time

from message import parse_msg, simple_response
from rtp import recv_stamped, udp_socket
from timing import Loop, clock_offset

# RFC 3261 17.1.1.1, in seconds.
T1 = 0.5


class Endpoint:
    """a SIP transport (UDP, or a TCP/TLS connection) that dispatches to Call objects by Call-ID"""

    def __init__(self, loop, ip="127.0.0.1", port=0, transport="udp", remote=None, log=None):
        self.loop, self.transport, self.log = loop, transport, log
        self.calls, self.on_new = {}, None
        self.buf = b""
        self.off = clock_offset()
        self.alive = True
        if transport == "udp":
            self.sock = udp_socket(ip, port, rcvbuf=4 << 20)
            loop.add(self.sock, self._udp)
        else:
            s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((ip, port))
            s.settimeout(10)
            s.connect(remote)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if transport == "tls":
                import ssl

                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname = False
                ctx.verify_mode = ssl.CERT_NONE
                s = ctx.wrap_socket(s)
            s.setblocking(False)
            self.sock = s
            loop.add(s, self._tcp)
        self.ip, self.port = self.sock.getsockname()[:2]

    def hostport(self):
        return "%s:%d" % ("[%s]" % self.ip if ":" in self.ip else self.ip, self.port)

    def send(self, data, dest):
        if self.log:
            self.log(">", data, dest)
        try:
            if self.transport == "udp":
                self.sock.sendto(data, dest)
            else:
                self.sock.setblocking(True)
                try:
                    self.sock.sendall(data)
                finally:
                    self.sock.setblocking(False)
        except OSError as e:
            if self.log:
                self.log("!", ("send: %s" % e).encode(), dest)

    def _udp(self):
        for _ in range(64):
            try:
                t, d, addr = recv_stamped(self.sock)
            except BlockingIOError:
                return
            except OSError as e:
                if self.log:
                    self.log("!", ("recv: %s" % e).encode(), None)
                for c in list(self.calls.values()):
                    c.transport_error(str(e))
                return
            self._dispatch(d, addr, t)

    def _tcp(self):
        import ssl

        while True:
            try:
                d = self.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError:
                d = b""
            if not d:
                self.loop.remove(self.sock)
                self.alive = False
                for c in list(self.calls.values()):
                    c.transport_error("connection closed by peer")
                break
            self.buf += d
        while True:
            self.buf = self.buf.lstrip(b"\r\n")
            i = self.buf.find(b"\r\n\r\n")
            if i < 0:
                return
            m = re.search(rb"^(?:content-length|l)\s*:\s*(\d+)", self.buf[: i + 2], re.I | re.M)
            n = i + 4 + (int(m.group(1)) if m else 0)
            if len(self.buf) < n:
                return
            d, self.buf = self.buf[:n], self.buf[n:]
            self._dispatch(d, self.sock.getpeername()[:2], time.time())

    def _dispatch(self, d, addr, t):
        if self.log:
            self.log("<", d, addr, t - self.off)
        if not d.strip():
            return
        m = parse_msg(d)
        if not m:
            return
        m.t, m.src = t - self.off, addr
        c = self.calls.get(m.get("call-id"))
        if c:
            c.on_msg(m)
        elif m.method and self.on_new:
            self.on_new(m)
        elif m.method and m.method != "ACK":
            self.send(simple_response(m, 481, "Call/Transaction Does Not Exist"), addr)

    def close(self):
        self.loop.remove(self.sock)
        self.sock.close()


class Tx:
    """a client transaction"""

    def __init__(self, call, method, data, branch, dest, cb):
        self.call, self.method, self.data, self.branch, self.dest, self.cb = call, method, data, branch, dest, cb
        self.iv, self.state, self.timer = T1, "calling", None
        self.t0 = time.monotonic()
        self.deadline = call.loop.after(64 * T1, self._expire)
        self.n_sent = 1
        call.ep.send(data, dest)
        if call.ep.transport == "udp":
            self.timer = call.loop.after(self.iv, self._re)

    def _re(self):
        if self.state == "calling" or (self.state == "proceeding" and self.method != "INVITE"):
            self.call.ep.send(self.data, self.dest)
            self.n_sent += 1
            self.iv = self.iv * 2 if self.method == "INVITE" else min(self.iv * 2, 4.0)
            self.timer = self.call.loop.after(self.iv, self._re)

    def _expire(self):
        if self.state in ("calling",) or (self.state == "proceeding" and self.method != "INVITE"):
            self.done()
            self.cb(None)

    def done(self):
        self.state = "done"
        Loop.cancel(self.timer)
        Loop.cancel(self.deadline)
