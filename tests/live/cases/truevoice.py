"""Calls to the agent with the all-in-one service, which the lab plays in a process of its own."""

import json
import time
import urllib.request

from kit import case, check
from peers.caller import Caller
from peers.offhook import Offhook
from peers.process import Process
from rig import sound

KEY = "live-key"
# The caller speaks from here to there, in seconds; the answer comes after it.
SPEAKS, STOPS, HANGS_UP = 1.0, 4.0, 11.0


class Lab(Process):
    """`offhook lab`, with its book."""

    def __init__(self, ground, *options):
        self.port = ground.port()
        tls, wyoming = ground.port(), ground.port()
        argv = [ground.options.binary, "lab", "--port", self.port, "--tls-port", tls, "--wyoming-port", wyoming]
        super().__init__("lab", [*argv, "--voice", "tones", "--key", KEY, *options], ground.place("lab"))

    def settle(self):
        self.wait_for("lab: the voice is")

    def visits(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/lab/seen", timeout=5) as answer:
            return [v for v in json.load(answer)["visits"] if v["path"] == "/ws/conversation"]


def start(ground, lab, **environment):
    offhook = Offhook(ground, routes={"604": "agent"})
    offhook.env = {"TRUEVOICE_API_KEY": KEY, **environment}
    ground.start(offhook)
    end = time.monotonic() + 15
    while offhook.http("/ready")[0] != 200 or not lab.visits():
        check(time.monotonic() < end, f"not ready: {offhook.http('/ready')}, {len(lab.visits())} connections")
        time.sleep(0.05)
    return offhook


def metric(offhook, name):
    lines = [line.split() for line in offhook.http("/metrics")[1].splitlines() if line.startswith(name + " ")]
    check(lines, f"no {name} in /metrics")
    return float(lines[0][1])


@case(limit_s=60)
def answers(ground):
    """The environment names it, the key goes in a header, a warm connection is taken, the answer is heard"""
    lab = ground.start(Lab(ground, "--hear", "What time is it?", "--reply", "It is five and the sun is up over the town."))
    offhook = start(ground, lab, TRUEVOICE_API_URL=f"http://127.0.0.1:{lab.port}")
    said = sound.voice(ground.folder, STOPS - SPEAKS)
    options = ("--play", f"{said}@{SPEAKS:g}", "--duration", f"{HANGS_UP:g}")
    caller = ground.start(Caller(ground, offhook.uri("604"), *options))
    caller.finished()
    recording = sound.heard(caller.record)
    answer = recording[int((STOPS + 0.3) * 8_000) :]
    loud = sum(sound.level(answer[i : i + 160]) > 300 for i in range(0, len(answer) - 160, 160)) * 0.02
    ground.say(f"{loud:.2f} s of the answer were heard")
    # 34 letters of 60 ms each.
    check(1.5 <= loud <= 2.6, f"{loud:.2f} s of an answer of 2 s")
    check(metric(offhook, "offhook_agent_utterances_total") == 1, "it heard one question")
    check(metric(offhook, "offhook_agent_turns_total") == 1, "it gave one answer")
    talked = [v for v in lab.visits() if v["audio_in"]]
    check(len(talked) == 1, f"{len(talked)} connections carried the call")
    check(talked[0]["audio_in"] > 0.8 * HANGS_UP * 32_000, f"{talked[0]['audio_in']} bytes of the caller arrived")
    check(len(lab.visits()) >= 2, "no connection was warm")
    check(talked[0]["closed_us"], "the connection outlived the call")


@case(limit_s=60)
def comes_back(ground):
    """Cut in the middle of an answer: the device says the rest; the next question is answered by the service again"""
    fault = ("--fault", "path=conversation,kill,after=700,pace=1.1,times=1")
    lines = ("--hear", "What time is it?", "--reply", "It is five and the sun is up over the town.")
    lab = ground.start(Lab(ground, *fault, *lines, "--hear", "And now?", "--reply", "Six."))
    socket = f"ws://127.0.0.1:{lab.port}/ws/conversation"
    # No warm connections: the first one is the call's own, and is the one that is cut.
    offhook = Offhook(ground, {"speech": {"truevoice_max_idle": 0, "truevoice_min_idle": 0}}, routes={"604": "agent"})
    offhook.env = {"TRUEVOICE_API_KEY": KEY, "TRUEVOICE_WS_URL": socket}
    ground.start(offhook)
    end = time.monotonic() + 15
    while offhook.http("/ready")[0] != 200:
        check(time.monotonic() < end, f"not ready: {offhook.http('/ready')}")
        time.sleep(0.05)
    said = sound.voice(ground.folder, 2.0)
    plays = ("--play", f"{said}@1", "--play", f"{said}@9")
    caller = ground.start(Caller(ground, offhook.uri("604"), *plays, "--duration", "14"))
    caller.finished()
    check(metric(offhook, "offhook_agent_utterances_total") == 2, "it heard both questions")
    check(metric(offhook, "offhook_agent_turns_total") >= 2, "it answered both")
    visits = lab.visits()
    check(len(visits) == 2 and all(v["audio_in"] for v in visits), f"{len(visits)} connections, not two")
