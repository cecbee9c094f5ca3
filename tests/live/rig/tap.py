#!/usr/bin/env python3
"""tap.py OUT --tcp PORT: what passes on loopback, with the kernel's time for each packet.

Writes a line for each packet of RTP with PCMU, "rtp T FROM_PORT TO_PORT SEQ LOUDNESS" (the greatest µ-law magnitude in it,
0 to 127; 0 is digital silence), and for each message of speech from TCP PORT, ElevenLabs' JSON with "audio" in µ-law,
"voice T TO_PORT LOUDNESS". T is seconds since 1970. Needs the right to open a packet socket. Ends with SIGTERM.
"""

import argparse
import base64
import re
import signal
import socket
import struct
import sys

# linux/if_ether.h, linux/if_packet.h, asm-generic/socket.h
ETH_P_IP, PACKET_HOST, SO_TIMESTAMPNS = 0x0800, 0, 35
# A message with speech, which loopback carries in one piece.
AUDIO = re.compile(rb'"audio" *: *"([A-Za-z0-9+/=]+)"')
# µ-law's magnitude, whatever the sign: its bits are inverted (ITU-T G.711).
MAGNITUDE = bytes(~byte & 0x7F for byte in range(256))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--tcp", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as line, open(options.out, "w") as out:
        line.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
        line.bind(("lo", ETH_P_IP))
        print("listening", flush=True)
        watch(line, out, options.tcp)


def watch(line, out, tcp_port):
    while True:
        packet, extra, _, (_, _, kind, *_) = line.recvmsg(70_000, 64)
        # Loopback shows each packet twice: as it goes and as it comes.
        if kind != PACKET_HOST or len(packet) < 28:
            continue
        seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
        text = described(packet, tcp_port)
        if text:
            out.write(f"{text[0]} {seconds + nanoseconds / 1e9:.6f} {text[1]}\n")


def described(packet, tcp_port):
    head = 4 * (packet[0] & 15)
    source, target = struct.unpack_from("!HH", packet, head)
    if packet[9] == socket.IPPROTO_UDP:
        rtp = packet[head + 8 :]
        # Version 2, payload type 0 with or without marker.
        if len(rtp) <= 12 or rtp[0] >> 6 != 2 or rtp[1] & 0x7F:
            return None
        loud = max(rtp[12:].translate(MAGNITUDE))
        return "rtp", f"{source} {target} {struct.unpack_from('!H', rtp, 2)[0]} {loud}"
    if packet[9] == socket.IPPROTO_TCP and source == tcp_port:
        found = AUDIO.search(packet, head + 4 * (packet[head + 12] >> 4))
        return ("voice", f"{target} {max(base64.b64decode(found[1]).translate(MAGNITUDE), default=0)}") if found else None
    return None


if __name__ == "__main__":
    main()
