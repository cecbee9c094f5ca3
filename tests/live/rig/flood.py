#!/usr/bin/env python3
"""flood.py PORT --from 127.0.0.9 --rate 5000 --seconds 10: scanners at work.

Sends what scanners send (OPTIONS, REGISTER and INVITE with new names and Call-IDs, and a share of rubbish) to
127.0.0.1:PORT at an even rate; prints how many left and how many answers came, as JSON.
"""

import argparse
import json
import os
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# So many messages are sent at a time; between two lots it sleeps.
LOT = 25


def message(number, kind, port, source):
    """One message; every number gives another transaction, dialog and name."""
    method = ("OPTIONS", "REGISTER", "INVITE", "OPTIONS", None)[kind]
    if method is None:
        return os.urandom(40) + b"\r\n\r\n"
    where, what = f"{source[0]}:{source[1]}", f"flood-{number}"
    return (
        f"{method} sip:{100 + number % 900}@127.0.0.1:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {where};branch=z9hG4bK{what};rport\r\nMax-Forwards: 70\r\n"
        f'From: "sipvicious" <sip:{100 + number % 900}@{where}>;tag={what}\r\nTo: <sip:100@127.0.0.1:{port}>\r\n'
        f"Call-ID: {what}\r\nCSeq: 1 {method}\r\nContact: <sip:100@{where}>\r\nUser-Agent: friendly-scanner\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--from", dest="source", default="127.0.0.9")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((options.source, 0))
        line.setblocking(False)
        print(json.dumps(flood(line, options)))


def flood(line, options):
    began, sent, answers, refused = time.monotonic(), 0, 0, 0
    while (now := time.monotonic() - began) < options.seconds:
        due = int(now * options.rate)
        while sent < due:
            try:
                line.sendto(message(sent, sent % 5, options.port, line.getsockname()), ("127.0.0.1", options.port))
            except OSError:
                refused += 1
            sent += 1
            if sent % LOT == 0:
                answers += drain(line)
        answers += drain(line)
        time.sleep(LOT / options.rate)
    return {"sent": sent, "not_sent": refused, "answers": answers, "seconds": round(now, 2)}


def drain(line):
    count = 0
    try:
        while True:
            line.recv(4096)
            count += 1
    except OSError:
        return count


if __name__ == "__main__":
    main()
