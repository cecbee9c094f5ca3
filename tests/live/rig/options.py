"""The caller's command line."""

import argparse
import os
import re

from g711 import CODECS, read_trace, read_wav
from rtp import EVENTS


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = p.add_argument
    a("target", nargs="?", help="sip:user@host:port[;transport=tcp|tls]")
    a("--listen", metavar="IP:PORT", help="be a UAS instead (UDP): answer calls until --calls have ended")
    a("--calls", type=int, default=1, help="with --listen: leave after this many calls (0 = never)")
    a("--local", default="127.0.0.1", metavar="IP[:PORT]", help="address (and port) to send from")
    a("--transport", choices=("udp", "tcp", "tls"))
    a("--user", default="rig")
    a("--display", default="rig")
    a("--from", dest="from_uri", help="From URI")
    a("--header", dest="headers", action="append", default=[], help="extra header line for INVITEs")
    a("--auth", metavar="USER:PASS")
    a("--digest", metavar="ALGORITHM", help="answer the challenge with this one, not the first")
    a(
        "--duration",
        type=float,
        default=10.0,
        help="BYE after this many seconds of media (default 10; negative: wait for the far end)",
    )
    a("--wait-bye", action="store_true", help="it is a failure (3) if the far end has not hung up by --duration")
    a("--ring-timeout", type=float, default=30.0)
    a("--cancel-after", type=float, metavar="S", help="CANCEL this long after the INVITE")
    a("--early", action="store_true", help="start media at an 18x that has SDP")
    a("--100rel", dest="rel100", action="store_true", help="Supported: 100rel, PRACK reliable provisionals")
    a("--delayed-offer", action="store_true", help="INVITE without SDP")
    a("--no-ack", action="store_true", help="never ACK the 200")
    a("--session-expires", metavar="N[;refresher=uac]")
    a("--hold", dest="hold_s", action="append", default=[], metavar="T1-T2[:sendonly|inactive|recvonly|c0]")
    a("--reinvite", dest="reinvites", action="append", type=float, default=[], metavar="T")
    a("--refer", dest="refer_s", action="append", default=[], metavar="T:URI")
    a("--info", dest="info_s", action="append", default=[], metavar="T:TEXT")
    a("--options", action="store_true", help="only send OPTIONS and print the answer")
    a("--expect", type=int, action="append", help="final status that counts as success (repeatable)")
    a("--codec", default="PCMU,PCMA", help="offered codecs, in order")
    a(
        "--offer-extra",
        action="append",
        default=[],
        metavar="opus/48000/2:111",
        help="further codecs named in the offer",
    )
    a("--extra-first", action="store_true")
    a("--sdp", dest="sdp_file", help="send this file as the offer ([ip] and [port] are replaced)")
    a("--sdp-ip", help="lie about the media address")
    a("--sdp-port", type=int)
    a("--media-ip", help="address of the RTP sockets (default: that of --local)")
    a("--rtp-port", type=int, default=0)
    a("--direction", default="sendrecv", choices=("sendrecv", "sendonly", "recvonly", "inactive"))
    a("--ptime", type=int, default=20)
    a("--no-events", action="store_true", help="do not offer telephone-event")
    a("--no-media", action="store_true", help="signalling only: no RTP sockets")
    a("--no-rtp", action="store_true", help="receive but never send RTP")
    a("--rtp-stop", type=float, metavar="T", help="stop sending RTP at T")
    a("--rtcp", action="store_true", help="send RTCP SR/SDES every 5 s")
    a("--dscp", type=int, default=0)
    a("--ssrc", type=lambda s: int(s, 0))
    a("--seq0", type=int)
    a("--ts0", type=int)
    a("--play", action="append", default=[], metavar="FILE[@WHEN]")
    a("--loop", action="store_true", help="repeat the last clip")
    a("--idle", default="silence", choices=("silence", "none"))
    a("--trace", metavar="CSV")
    a("--dtmf", action="append", default=[], metavar="DIGITS[@T]")
    a("--dtmf-mode", default="rfc4733", choices=("rfc4733", "inband", "info"))
    a("--dtmf-dur", type=int, default=100, metavar="MS")
    a("--dtmf-gap", type=int, default=150, metavar="MS")
    a("--echo", type=float, metavar="MS", help="send every received RTP packet back after MS")
    a("--ring", type=float, default=0, help="with --listen: 180 for this long before the 200")
    a("--reject", type=int, help="with --listen: refuse with this status")
    a("--record", metavar="WAV", help="what came back, on the clock of the media start")
    a("--record-stereo", metavar="WAV", help="left: sent (nominal time), right: received (arrival)")
    a("--log", metavar="CSV", help="every RTP packet and event with its time")
    a("--sip-log", metavar="FILE", help='every SIP message with its time ("-": stderr)')
    a("--json", metavar="FILE", help='summary ("-": stdout, the default)', default="-")
    a("--quiet", action="store_true", help="no summary on stdout")
    a("--threshold", type=float, default=-45.0, metavar="DB", help="far end speaks: RMS of a packet above this (dBFS)")
    a("--hang", type=float, default=300.0, metavar="MS", help="far end quiet: below the threshold for this long")
    a(
        "--no-rt",
        dest="rt",
        action="store_false",
        help="do not ask for SCHED_FIFO (asked for by default, silently not had without root)",
    )
    return p


def finish_options(o):
    """derived fields; also used by the other scripts with parser().parse_args([...])"""
    o.codecs = [c.strip().upper() for c in o.codec.split(",") if c.strip()]
    for c in o.codecs:
        if c not in CODECS:
            raise SystemExit("codec %s: only PCMU and PCMA can be sent (use --offer-extra to name others)" % c)
    o.plays = []
    for s in o.play:
        f, at, when = s.rpartition("@")
        if not at:
            f, when = s, "0"
        m = re.fullmatch(r"(voice|quiet)?\+?(\d+(?:\.\d+)?)?", when)
        if not m or not os.path.exists(f):
            if os.path.exists(s):
                f, m = s, re.fullmatch(r"()(\d+)", "0")
            else:
                raise SystemExit("--play %s: no such file or bad time" % s)
        o.plays.append(
            {
                "file": os.path.basename(f),
                "samples": read_wav(f),
                "kind": m.group(1) or "abs",
                "at": float(m.group(2) or 0),
                "loop": False,
            }
        )
    if o.loop and o.plays:
        o.plays[-1]["loop"] = True
    o.dtmfs = []
    for s in o.dtmf:
        d, at, t = s.partition("@")
        t = float(t or 0)
        for ch in d.upper():
            if ch == ",":
                t += 1
                continue
            if ch not in EVENTS:
                raise SystemExit("--dtmf: bad digit %s" % ch)
            o.dtmfs.append({"digit": ch, "at": t})
            t += (o.dtmf_dur + o.dtmf_gap) / 1e3
    o.dtmfs.sort(key=lambda d: d["at"])
    o.trace_data = read_trace(o.trace) if o.trace else None
    o.holds = []
    for s in o.hold_s:
        m = re.fullmatch(r"([\d.]+)-([\d.]+)(?::(sendonly|inactive|recvonly|c0))?", s)
        if not m:
            raise SystemExit("--hold %s" % s)
        o.holds.append((float(m.group(1)), float(m.group(2)), m.group(3) or "sendonly"))
    o.refers = [(float(s.split(":", 1)[0]), s.split(":", 1)[1]) for s in o.refer_s]
    o.infos = [(float(s.split(":", 1)[0]), s.split(":", 1)[1]) for s in o.info_s]
    o.echo_on = o.echo is not None
    o.send_info = None
    if o.duration is not None and o.duration < 0:
        o.duration = None
    return o
