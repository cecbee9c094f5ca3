"""What stands on the packets themselves: the marks by which routers tell voice from the rest."""

import socket
import struct
import time

from kit import case, check
from peers.offhook import Offhook

# The whole traffic-class byte: expedited forwarding for media, class selector 3 for SIP (RFC 2474, RFC 3246).
EXPEDITED, SIGNALLING = 0xB8, 0x60

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
REQUEST = (
    "{method} sip:601@127.0.0.1:{to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{me};branch=z9hG4bK-marks-{method};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:marks@127.0.0.1:{me}>;tag=marks\r\nTo: <sip:601@127.0.0.1:{to}>{tag}\r\n"
    "Call-ID: marks-{me}\r\nCSeq: {number} {method}\r\nContact: <sip:marks@127.0.0.1:{me}>\r\n{kind}"
    "Content-Length: {length}\r\n\r\n{body}"
)


class Marked:
    """A UDP socket that is told the mark of each datagram."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        self.socket.bind(("127.0.0.1", port))
        self.port = port

    def receive(self, what, wait_s):
        """The next datagram and its mark."""
        self.socket.settimeout(wait_s)
        try:
            data, control, _, _ = self.socket.recvmsg(65_536, 256)
        except TimeoutError:
            check(False, f"{what} did not come within {wait_s} s")
        marks = [value[0] for level, kind, value in control if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS)]
        check(len(marks) == 1, "the system does not tell the mark of a datagram")
        return data, marks[0]


@case(limit_s=30)
def marks(ground):
    """SIP, RTP and RTCP arrive with the marks that the settings name"""
    offhook = ground.start(Offhook(ground))
    sip, rtp = Marked(ground.port()), Marked(ground.port())
    rtcp = Marked(rtp.port + 1)

    def ask(method, number, tag="", body=""):
        kind = "Content-Type: application/sdp\r\n" if body else ""
        text = REQUEST.format(
            method=method,
            number=number,
            tag=tag,
            body=body,
            kind=kind,
            length=len(body),
            me=sip.port,
            to=offhook.sip_port,
        )
        sip.socket.sendto(text.encode(), ("127.0.0.1", offhook.sip_port))

    ask("INVITE", 1, body=OFFER.format(port=rtp.port))
    answer = b""
    while not answer.startswith(b"SIP/2.0 200"):
        answer, mark = sip.receive("the answer", 5)
        check(mark == SIGNALLING, f"SIP is marked {mark:#04x} instead of {SIGNALLING:#04x}")
    to = next(line for line in answer.decode().split("\r\n") if line.lower().startswith("to:"))
    tag = to[to.index(";tag=") :]
    ask("ACK", 1, tag)
    for _ in range(10):
        packet, mark = rtp.receive("RTP", 5)
        check(packet[0] >> 6 == 2 and mark == EXPEDITED, f"RTP is marked {mark:#04x} instead of {EXPEDITED:#04x}")
    began = time.monotonic()
    packet, mark = rtcp.receive("the first RTCP report", 10)
    check(packet[1] == 200 and mark == EXPEDITED, f"RTCP is marked {mark:#04x} instead of {EXPEDITED:#04x}")
    (length,) = struct.unpack(">H", packet[2:4])
    check(4 * (length + 1) <= len(packet), "the first report is cut off")
    ground.say(f"SIP {SIGNALLING:#04x}, RTP and RTCP {EXPEDITED:#04x}; RTCP after {time.monotonic() - began:.1f} s")
    ask("BYE", 2, tag)
    sip.receive("the answer to BYE", 5)
