#!/usr/bin/env python3
"""call.py - one scripted SIP call with RTP audio, for tests.  Standard library only (Python >= 3.8, Linux).

  call.py sip:uas@127.0.0.1:5060 --play q.wav@0.5 --record rx.wav --log rtp.csv --duration 12
  call.py sip:x@127.0.0.1:5060 --play ref.wav --trace jitter200.csv --duration 61
  call.py --listen 127.0.0.1:5090 --echo 100            answer calls, echo the RTP after 100 ms

Clock.  t = 0 in every log, in the WAVs and in --play/--dtmf/... times is the *media start*: the moment the first
RTP packet is due (at the 200, or at the first 18x with SDP with --early).  If there never was media, t = 0 is the INVITE.
Received packets carry the kernel's arrival time (SO_TIMESTAMPNS); sent packets the time taken right before sendto().

--play FILE[@WHEN]  (repeatable, 8 kHz mono s16 WAV)  WHEN is
    T          T seconds after media start (default 0)
    voice+T    T seconds after the far end begins to speak     } armed once the previous --play has finished playing,
    quiet+T    when the far end has spoken and then been       } (voice+/quiet+ items are thus a script: ask, wait, barge in)
               quiet for T seconds
Between the clips silence is sent (--idle silence) or nothing (--idle none).
--dtmf DIGITS[@T]   RFC 4733 by default; --dtmf-mode inband|info.
--trace CSV         seq,send_ms,arrive_ms: packet q is generated at send_ms and put on the wire at arrive_ms; no
                    arrive_ms = lost; a second row = a duplicate.  The trace repeats when it ends.
Exit status: 0 answered and ended as asked (or --expect matched), 1 refused, 2 no answer / timeout, 3 a check failed, 4 usage.
"""

import gc
import json
import os
import signal
import socket
import sys

from dialog import Call
from endpoint import Endpoint
from g711 import CODECS, write_wav
from ladder import SipLog
from ping import options_ping
from message import addr_tag, parse_uri, rnd, simple_response
from options import finish_options, parser
from timing import Loop


def emit(calls, o):
    reps = []
    for i, c in enumerate(calls):
        r, zero = c.report()
        sfx = "" if len(calls) == 1 else ".%d" % i
        name = lambda p: p if not sfx else os.path.splitext(p)[0] + sfx + os.path.splitext(p)[1]
        if c.media:
            if o.log:
                c.media.write_log(name(o.log), zero)
            if o.record:
                pcm, n = c.media.rx_timeline(zero)
                write_wav(name(o.record), [pcm])
                r["record_anchors"] = n
            if o.record_stereo:
                write_wav(name(o.record_stereo), [c.media.tx_timeline(), c.media.rx_timeline(zero)[0]])
        reps.append(r)
    out = json.dumps(reps[0] if len(reps) == 1 else reps, indent=1)
    if o.json != "-":
        with open(o.json, "w") as f:
            f.write(out + "\n")
    elif not o.quiet:
        print(out)


def main(argv=None):
    o = finish_options(parser().parse_args(argv))
    if o.rt:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except OSError:
            pass
    gc.disable()  # no collector pauses between packets
    log = SipLog(o.sip_log) if o.sip_log else None
    loop = Loop()
    for sig in (signal.SIGTERM, signal.SIGINT):  # end in order: BYE, logs, summary
        signal.signal(sig, lambda *a: loop.stop())
    for c in o.codecs:
        CODECS[c].encode([0])
    if o.listen:
        ip, _, port = o.listen.rpartition(":")
        ep = Endpoint(loop, ip or "127.0.0.1", int(port), "udp", log=log)
        calls, live = [], [0]

        def ended(c):
            live[0] += 1
            if o.calls and live[0] >= o.calls:
                loop.after(0.3, loop.stop)

        def new(m):
            if m.method == "INVITE" and not addr_tag(m.get("to") or ""):
                c = Call(ep, o, target=None, dest=m.src, invite=m)
                c.on_end = ended
                if c.state == "ended":
                    ended(c)
                calls.append(c)
            elif m.method == "OPTIONS":
                ep.send(
                    simple_response(
                        m,
                        200,
                        "OK",
                        ["Allow: INVITE, ACK, CANCEL, BYE, OPTIONS", "Accept: application/sdp"],
                        tag=rnd(8),
                    ),
                    m.src,
                )
            elif m.method != "ACK":
                ep.send(simple_response(m, 481, "Call/Transaction Does Not Exist", tag=rnd(8)), m.src)

        ep.on_new = new
        loop.run()
        for c in calls:
            c.finish("stopped")
        emit(calls, o)
        return 0
    if not o.target:
        print("a target or --listen is needed", file=sys.stderr)
        return 4
    try:
        scheme, user, host, port, params = parse_uri(o.target)
    except ValueError as e:
        print(e, file=sys.stderr)
        return 4
    tr = o.transport or params.get("transport", "tls" if scheme == "sips" else "udp").lower()
    port = port or (5061 if tr == "tls" else 5060)
    dest = (socket.gethostbyname(host.strip("[]")) if not host.startswith("[") else host.strip("[]"), port)
    if o.options:
        st, dt = options_ping(host, port, tr, user=user or "ping")
        print(json.dumps({"options": st, "ms": round(dt * 1e3, 2)}))
        return 0 if st else 2
    ip, _, lp = o.local.partition(":") if o.local.count(":") <= 1 else (o.local, "", "")
    try:
        ep = Endpoint(loop, ip, int(lp or 0), tr, dest, log)
    except OSError as e:
        print("cannot reach %s:%d over %s: %s" % (dest[0], dest[1], tr, e), file=sys.stderr)
        return 2
    c = Call(ep, o, target=o.target, dest=dest)
    c.on_end = lambda _: loop.after(0.05, loop.stop)
    c.invite()
    loop.run()
    if c.state != "ended":  # a signal
        c.end_reason = "interrupted"
        loop.stopped = False
        loop.after(1.5, loop.stop)
        if c.state == "up":
            c.bye()
        else:
            c.cancel()
        loop.run()
        if c.state != "ended" and c.media:
            c.media.close()
    emit([c], o)
    if o.expect:
        return 0 if c.final in o.expect else 3
    if c.final is None or c.final in (408, -1):
        return 2
    if c.final >= 300:
        return 0 if o.cancel_after is not None and c.final == 487 else 1
    if o.wait_bye and c.ended_by != "remote":
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
