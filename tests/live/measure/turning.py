"""Scripted conversations with the agent over the lab, and what the wire shows of them."""

import socket
import sys
import time

from kit import HERE, Skipped, check
from measure import wire
from peers.caller import Caller
from peers.lab import Lab
from peers.offhook import Offhook
from peers.process import Process
from rig import sound
from rig.g711 import read_wav, write_wav

# No full stop before its last word: a rest in it would be taken for its end by the callers' script.
GREETING = "Hello, how can I help you today?"
ANSWER = (
    "The office is open from nine in the morning until half past five in the evening on every working day. "
    "On Saturdays somebody is there until noon, and they will call you back. "
    "You can also leave a message here at any time of the day."
)
# An interruption is one run of sound: two would interrupt the answer to the first as well.
ASK_S, INTERRUPT_S, TALK_S = 1.4, 0.5, 36.0
BETWEEN_CALLS_S = 0.8

# Bounds: the first packet, the barge-in, the pause beyond its plan. Each with the share of cases that must keep it.
FIRST_PACKET_MS, BARGE_IN_MS, PAUSE_BEYOND_MS = 25.0, 120.0, 20.0


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Talks:
    """Calls of one script. `talk()` holds a round of them; figures add up over rounds."""

    def __init__(self, ground, calls, faults=()):
        may_listen()
        self.ground, self.calls = ground, calls
        self.lab = ground.start(Lab(ground, replies=[ANSWER] * (8 * calls + 40), faults=faults))
        speech = {**self.lab.settings(), "greeting": GREETING}
        settings = {"calls": {"max": max(50, calls)}, "speech": speech, "log": {"level": "info"}}
        self.offhook = ground.start(Offhook(ground, settings, routes={"604": "agent"}))
        self._wait_for_agents()
        self.ask = clip(ground, "ask", ASK_S, 1.0)
        self.interrupt = clip(ground, "interrupt", INTERRUPT_S, 5.0)
        self.rounds = self.sockets = 0
        self.times = wire.Times()

    def _wait_for_agents(self):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if "it is starting" not in self.offhook.http("/ready")[1]:
                return
            time.sleep(0.1)
        check(False, f"agents are not ready: {self.offhook.http('/ready')[1]}")

    def talk(self):
        self.rounds += 1
        folder = self.ground.place(f"round-{self.rounds}")
        tap = Process("tap", [sys.executable, HERE / "rig/tap.py", folder / "tap.txt", "--tcp", self.lab.port], folder)
        before = sockets(self.lab)
        with tap:
            tap.wait_for("listening")
            callers = []
            for number in range(self.calls):
                callers.append(self.ground.start(self._caller(number)))
                if self.calls > 1:
                    time.sleep(BETWEEN_CALLS_S)
            told = [caller.finished() for caller in callers]
            time.sleep(0.5)
        self.sockets += sockets(self.lab) - before
        ports = [one["media"]["local_port"] for one in told]
        self.times.add(wire.read(folder / "tap.txt"), ports)
        for caller in callers:
            self.times.gaps_ms += wire.rests_ms(read_wav(str(caller.record)))

    def _caller(self, number):
        script = (f"{self.ask}@quiet+1", f"{self.interrupt}@voice+1.5", f"{self.interrupt}@voice+1.5", f"{self.ask}@quiet+1")
        plays = [word for play in script for word in ("--play", play)]
        options = ("--codec", "PCMU", *plays, "--duration", TALK_S)
        name = f"caller-{self.rounds}-{number}"
        return Caller(self.ground, self.offhook.uri("604"), *options, name=name, limit_s=TALK_S + 30)

    # ---- what it came to

    def report(self):
        times, metrics = self.times, self.offhook.metrics()
        lines = [
            line("first byte of an answer to first packet", times.first_byte_ms, 0.99),
            line("first sound on the socket to first packet", times.first_packet_ms, 0.99),
            line("interruption to our last sound", times.barge_in_ms, 0.95),
            line("rest between sentences, as recorded", times.gaps_ms, 0.95),
            f"  silences in a turn that nobody planned: {self.gaps():g}, of them over {PAUSE_BEYOND_MS:g} ms: {self.long_gaps():g}",
            line("end of a question to the answer", times.answer_ms, 0.95),
            f"  sockets of the voice {self.sockets} for {self.rounds * self.calls} calls; turns that could not be told apart "
            f"{times.unclear}",
            f"  ticks over 2 ms late {metrics['offhook_audio_late_ticks_total']:g}, never run "
            f"{metrics['offhook_audio_given_up_ticks_total']:g}; moves of the voice {metrics['offhook_agent_moves_total']:g}",
        ]
        return lines

    def gaps(self):
        """How often a turn fell silent beside its plan."""
        return self.offhook.metrics()["offhook_agent_gap_seconds_count"]

    def long_gaps(self):
        """How often for longer than the bound."""
        within = self.offhook.metrics()[f'offhook_agent_gap_seconds_bucket{{le="{PAUSE_BEYOND_MS / 1e3:g}"}}']
        return self.gaps() - within

    def faults(self):
        times, faults = self.times, []
        calls = self.rounds * self.calls
        if self.sockets != calls:
            faults.append(f"{self.sockets} sockets of the voice for {calls} calls")
        if len(times.barge_in_ms) < 1.8 * calls or len(times.first_packet_ms) < 3 * calls:
            faults.append(f"only {len(times.barge_in_ms)} interruptions and {len(times.first_packet_ms)} answers were seen")
        for what, values, share, most in (
            ("first packet", times.first_packet_ms, 0.99, FIRST_PACKET_MS),
            ("interruption", times.barge_in_ms, 0.95, BARGE_IN_MS),
        ):
            if values and percentile(values, share) > most:
                faults.append(f"{what}: {percentile(values, share):.1f} ms at {share:.0%}, over {most:g}")
        if self.long_gaps():
            faults.append(f"{self.long_gaps():g} rests were longer than planned by over {PAUSE_BEYOND_MS:g} ms")
        return faults


def line(what, values, share):
    if not values:
        return f"  {what:<44} none seen"
    return (
        f"  {what:<44} median {percentile(values, 0.5):7.1f} ms   {share:.0%} {percentile(values, share):7.1f}"
        f"   most {max(values):7.1f}   ({len(values)})"
    )


def clip(ground, name, seconds, start):
    """A piece of the voice that begins with a sound, as an interruption does."""
    samples = read_wav(str(sound.voice(ground.folder, seconds + 3, start)))
    first = next(at for at in range(0, len(samples), 80) if sound.level(samples[at : at + 80]) > 1500)
    path = ground.folder / f"{name}.wav"
    write_wav(str(path), [samples[first : first + int(seconds * sound.RATE)]])
    return path


def may_listen():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
    except PermissionError as refused:
        raise Skipped("this user may not listen on loopback (packet sockets); root may") from refused


def sockets(lab):
    """How many sockets of the voice it ever had."""
    return sum("multi-stream-input" in visit["path"] for visit in lab.seen()["visits"])
