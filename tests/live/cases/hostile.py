"""What no honest peer sends: RFC 4475, odd and broken SIP, bad RTP over a living call, floods."""

import json
import sys
import time

from kit import HERE, case, check
from peers.caller import Caller
from peers.offhook import Offhook
from peers.process import Process
from rig import sound

# A number for everything: whoever a message asks for is found, so that what the message is decides its answer.
ANYONE = {"*": "echo"}


class Script(Process):
    """A script of the rig that prints its findings and may leave them as JSON."""

    def __init__(self, ground, script, *options, name=None):
        folder = ground.place(name or script)
        self.out = folder / "out.json"
        super().__init__(name or script, [sys.executable, HERE / f"rig/{script}.py", *options], folder)

    def finished(self, limit_s):
        code = self.child.wait(limit_s)
        check(code == 0, f"{self.name} ended with {code}")
        return json.loads(self.out.read_text()) if self.out.exists() else self.log()


def torture(ground, *options):
    offhook = ground.start(Offhook(ground, routes=ANYONE))
    script = Script(ground, "sip_torture", f"127.0.0.1:{offhook.sip_port}", "--out", "out.json", *options)
    told = ground.start(script).finished(100)
    wrong = [f"{name}: want {r['want']}, got {r['codes']}" for name, r in told.items() if r["verdict"] != "ok"]
    dead = [name for name, r in told.items() if not r["alive"]]
    check(not dead, f"OPTIONS was not answered after {dead}")
    check(len(told) == 50, f"{len(told)} messages instead of 50")
    check(not wrong, f"{len(wrong)} of 50 answered otherwise than RFC 4475 asks: " + "; ".join(wrong))
    offhook.alive()


@case(limit_s=120)
def torture_udp(ground):
    """The 50 messages of RFC 4475 over UDP, each answered as it asks"""
    torture(ground)


@case(limit_s=120)
def torture_tcp(ground):
    """The same over TCP"""
    torture(ground, "--tcp")


def sip_fuzz(ground, only, count=1500, limit_s=120):
    offhook = ground.start(Offhook(ground, {"calls": {"max": 100}}, routes=ANYONE))
    before = offhook.descriptors(), offhook.resident_kb()
    script = Script(
        ground,
        "sip_fuzz",
        f"127.0.0.1:{offhook.sip_port}",
        "--user",
        "600",
        "--only",
        only,
        "--out",
        "out.json",
        "--count",
        count,
        "--quick",
        "--pid",
        offhook.child.pid,
    )
    told = ground.start(script).finished(limit_s)
    wrong = [f"{r['case']}: want {r['want']}, got {r['got']}" for r in told if r["verdict"] == "differs"]
    check(not wrong, "; ".join(wrong))
    offhook.alive()
    ground.say(
        f"{len(told)} cases; descriptors {before[0]} -> {offhook.descriptors()}, {before[1]} -> {offhook.resident_kb()} kB"
    )


@case()
def sip_edges(ground):
    """Datagrams that are no SIP, numbers out of range, huge headers"""
    sip_fuzz(ground, "edge")


@case()
def sip_order(ground):
    """Transactions and dialogs out of order: twice, merged, stray, raced"""
    sip_fuzz(ground, "order")


@case(limit_s=120)
def sip_offers(ground):
    """Odd offers are answered or refused, never ignored, never with 500"""
    sip_fuzz(ground, "sdp")


@case()
def tcp_framing(ground):
    """Byte by byte, two in one, cut off, endless, idle"""
    sip_fuzz(ground, "tcp")


@case(limit_s=90)
def sip_mutations(ground):
    """Mutations of valid and of tortuous messages, OPTIONS answered between them"""
    sip_fuzz(ground, "mutate", limit_s=80)


@case(long=True, limit_s=900)
def sip_mutations_many(ground):
    """The same, a hundred thousand of them"""
    sip_fuzz(ground, "mutate", count=100_000, limit_s=880)


def rtp_fuzz(ground, pps, limit_s):
    # Many more packets than the case may log are ours: a log of each would be the test of the log.
    offhook = ground.start(Offhook(ground, {"log": {"level": "info"}}))
    script = Script(
        ground,
        "rtp_fuzz",
        offhook.uri("601"),
        "--pps",
        pps,
        "--out",
        "out.json",
        "--pid",
        offhook.child.pid,
        "--json",
        "call.json",
    )
    told = ground.start(script).finished(limit_s)
    broken = [r["case"] for r in told if not r["ok"]]
    check(not broken, f"the call or its stream did not survive: {broken}")
    slow = max(told, key=lambda r: r["max_gap_ms"])
    ground.say(f"{len(told)} cases; longest gap {slow['max_gap_ms']:.0f} ms in \"{slow['case']}\"")
    offhook.alive()


@case(limit_s=150)
def bad_rtp(ground):
    """53 kinds of bad RTP and RTCP over a living call: it and its stream go on"""
    rtp_fuzz(ground, 0, 140)


@case(long=True, alone=True, limit_s=240)
def bad_rtp_floods(ground):
    """The same, and 10,000 packets a second on top"""
    rtp_fuzz(ground, 10_000, 230)


@case(alone=True, limit_s=120)
def strangers(ground):
    """5,000 messages a second from strangers: under half a core, and the call beside them does not suffer"""
    offhook = ground.start(Offhook(ground, {"sip": {"networks": ["127.0.0.1"]}, "log": {"level": "info"}}))
    said = sound.voice(ground.folder, 12)
    # The flood begins when the call knows its line.
    caller = ground.start(Caller(ground, offhook.uri("600"), "--play", f"{said}@10", "--duration", "23"))
    time.sleep(10)
    cpu, began = offhook.cpu_s(), time.monotonic()
    flood = ground.start(Script(ground, "flood", offhook.sip_port, "--rate", 5000, "--seconds", 10))
    flood.child.wait(20)
    share = (offhook.cpu_s() - cpu) / (time.monotonic() - began)
    told = json.loads(flood.log())
    stream = caller.finished()["media"]["rx"][0]
    found = sound.compare(said, caller.record, at_least=0.7, slack_ms=150)
    ground.say(
        f"{told['sent'] / told['seconds']:.0f} a second, {told['answers']} answers; {share:.0%} of a core; longest gap {stream['max_gap_ms']} ms; {found}"
    )
    check(share < 0.5, f"the flood costs {share:.0%} of a core")
    check(stream["lost"] == 0 and stream["dup"] == 0, f"the call lost packets: {stream}")
    check(found.share > 0.8, f"the call suffered: {found}")
    # Not the longest one: a virtual machine is descheduled now and then, with or without a flood.
    gaps = caller.gaps_ms()
    usual = gaps[int(0.99 * len(gaps))]
    check(usual < 40, f"one gap in a hundred is over {usual:.0f} ms")
