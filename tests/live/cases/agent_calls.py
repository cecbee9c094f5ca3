"""Conversations with the agent over the lab. Times that hang on the machine are printed here; scripts/turns judges them."""

import time

from kit import case, check
from measure import wire
from measure.turning import ANSWER, Talks
from peers.caller import Caller
from peers.lab import Lab
from peers.offhook import Offhook
from rig.g711 import read_wav

# What even a busy machine keeps.
STOPS_WITHIN_MS = 500
# Dead air that the caller may meet while the voice changes over: the time in which a silent service is found out, and
# the next one's first sound.
DEAD_AIR_S = 4.0


def conversations(ground, calls):
    talks = Talks(ground, calls)
    talks.talk()
    for line in talks.report():
        ground.say(line.strip())
    times, metrics = talks.times, talks.offhook.metrics()
    # Where the machine kept the lab from speaking in time, the voice moved on and opened another socket afterwards.
    moves = metrics["offhook_agent_moves_total"]
    check(calls <= talks.sockets <= calls + moves, f"{talks.sockets} sockets of the voice for {calls} calls, {moves:g} moves")
    check(len(times.first_packet_ms) >= 3 * calls, f"{len(times.first_packet_ms)} answers were heard in {calls} calls")
    check(len(times.barge_in_ms) == 2 * calls, f"{len(times.barge_in_ms)} interruptions were heard in {calls} calls")
    slow = [ms for ms in times.barge_in_ms if ms > STOPS_WITHIN_MS]
    check(not slow, f"our voice went on for {slow} ms after its caller spoke")
    check(metrics["offhook_audio_given_up_ticks_total"] == 0, "ticks were given up")
    check(metrics["offhook_agent_unspoken_total"] == 0, "sentences could not be said")


@case(alone=True, limit_s=120)
def one(ground):
    """Ask, interrupt, interrupt again, ask again, hang up: answered, stopped each time, one socket of the voice"""
    conversations(ground, 1)


@case(alone=True, limit_s=180)
def twenty_at_once(ground):
    """Twenty such calls at once behave the same"""
    conversations(ground, 20)


@case(limit_s=90)
def the_cloud_dies(ground):
    """The services die in mid-sentence: no tick is disturbed, and the voice on the device says the rest"""
    lab = ground.start(Lab(ground, replies=[ANSWER] * 9, faults=["path=multi,pace=1"]))
    speech = {**lab.settings(), "greeting": ANSWER}
    offhook = ground.start(Offhook(ground, {"speech": speech, "log": {"level": "info"}}, routes={"604": "agent"}))
    time.sleep(2)
    caller = ground.start(Caller(ground, offhook.uri("604"), "--codec", "PCMU", "--duration", "24"))
    time.sleep(4)
    lab.child.kill()
    told = caller.finished()
    check(told["ended_by"] == "local", f"the call was ended: {told['end']}")
    stream = told["media"]["rx"][0]
    check(stream["lost"] == 0 and stream["dup"] == 0, f"the stream was disturbed: {stream}")
    samples = read_wav(str(caller.record))
    heard = [at / 8000 for at in range(0, len(samples), 160) if max(map(abs, samples[at : at + 160])) > wire.QUIET]
    longest = max((after - before for before, after in zip(heard, heard[1:])), default=0.0)
    metrics = offhook.metrics()
    ground.say(
        f"heard until {heard[-1]:.1f} s, longest silence {longest:.2f} s, moves {metrics['offhook_agent_moves_total']:g}, "
        f"late ticks {metrics['offhook_audio_late_ticks_total']:g}"
    )
    # The greeting takes some 14 s; four of them were left when the services died.
    check(heard[-1] > 9, f"nothing was heard any more after {heard[-1]:.1f} s")
    check(longest < DEAD_AIR_S, f"{longest:.1f} s of dead air")
    check(metrics["offhook_agent_moves_total"] > 0, "speech went on in no other way")
    check(metrics["offhook_audio_given_up_ticks_total"] == 0, "ticks were given up")
    offhook.alive()
