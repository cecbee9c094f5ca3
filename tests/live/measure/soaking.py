"""One soak: what it does to the program, and what it makes of what it saw."""

import dataclasses
import os
import signal
import statistics
import time

from measure.machine import Machine
from peers.crowd import Crowd
from peers.offhook import Offhook

# Between two looks, and between two reloads. Where nothing excuses a late tick its moment matters less than what a look
# costs, which on a slow machine is most of a processor.
LOOK_S, UNWATCHED_LOOK_S, RELOAD_S = 0.25, 2.0, 20.0
# A share of the time in which memory may still settle, but at most so long.
WARM_UP_SHARE, WARM_UP_MOST_S = 0.34, 600
# Memory may wander by so much around a level slope: what the allocator keeps of calls that stand.
MOST_GROWTH_KB = 512
# The dead: a call whose answer was never acknowledged is let go after 32 s (RFC 3261 13.3.1.4), its BYE after as many.
LAST_CALL_S = 100

TICKS = ("offhook_audio_late_ticks_total", "offhook_audio_given_up_ticks_total", "offhook_audio_caught_up_ticks_total")


@dataclasses.dataclass
class Look:
    """What was seen at one moment."""

    at_s: float
    rss_kb: int
    descriptors: int
    late: float


class Soak:
    """`run()`, then `report()` and `faults()`."""

    def __init__(self, ground, minutes, calls, rate, loaded=False, heap=None, watched=True):
        self.ground, self.minutes, self.calls, self.rate, self.loaded = ground, minutes, calls, rate, loaded
        self.watched, self.look_s = watched, LOOK_S if watched else UNWATCHED_LOOK_S
        self.heap = heap
        settings = {
            "calls": {"max": calls + 20, "drain_s": 2},
            "media": {"port_first": 30_000, "port_last": 31_999, "rtp_timeout_s": 5},
            "log": {"level": "warn"},
        }
        self.offhook = ground.start(Offhook(ground, settings, env=heap and heap.env))
        self.looks, self.late_at = [], []
        self.reloads = self.refusals = 0

    # ---- the run

    def run(self):
        self.machine = Machine(self.ground, self.loaded, self.watched)
        time.sleep(2)
        self.before = self._look(5)
        self.before_metrics = self.offhook.metrics()
        self.heap_before = self.heap.calls() if self.heap else {}
        crowd = self.ground.start(Crowd(self.ground, self.offhook.sip_port, *self._crowd(), limit_s=60))
        crowd.told("begin", 10)
        end = time.monotonic() + 60 * self.minutes
        reload_at = time.monotonic() + RELOAD_S / 2
        while (now := time.monotonic()) < end:
            self.looks.append(self._look())
            if not self.loaded and now >= reload_at:
                self._reload()
                reload_at = now + RELOAD_S
            time.sleep(max(0.0, self.look_s - (time.monotonic() - now)))
        self.told = crowd.finished()
        self._wait_for_the_dead()
        if not self.loaded:
            self.offhook.write_config()
        time.sleep(2)
        self.after = self._look(5)
        self.metrics = self.offhook.metrics()
        self.heap_after = self.heap.calls() if self.heap else {}

    def _crowd(self):
        come_and_go = ("--minutes", self.minutes, "--calls", self.calls, "--rate", self.rate)
        if self.loaded:
            return (*come_and_go, "--shortest", 60, "--longest", 300)
        return (*come_and_go, "--dead", 4, "--rubbish", 50)

    def _look(self, often=1):
        late = self.offhook.metrics()[TICKS[0]]
        seen = Look(time.monotonic(), self.offhook.resident_kb(), self.offhook.descriptors(often), late)
        last = self.looks[-1] if self.looks else None
        if last and seen.late > last.late:
            self.late_at.append((last.at_s, seen.at_s, seen.late - last.late))
        return seen

    def _reload(self):
        """In turn a good file, which calls in progress follow, and one that has to be refused."""
        self.reloads += 1
        if self.reloads % 5 == 0:
            self.refusals += 1
            self.offhook.write_config(jitter={"max_ms": 7})
        else:
            self.offhook.write_config(jitter={"max_ms": 400 + 10 * (self.reloads % 2)})
        self.offhook.child.send_signal(signal.SIGHUP)

    def _wait_for_the_dead(self):
        end = time.monotonic() + LAST_CALL_S
        while self.offhook.calls() and time.monotonic() < end:
            time.sleep(1)

    # ---- what it came to

    def measured(self):
        """The looks after warm-up."""
        first = self.looks[0].at_s
        warm_up = min(WARM_UP_MOST_S, WARM_UP_SHARE * (self.looks[-1].at_s - first))
        return [look for look in self.looks if look.at_s >= first + warm_up]

    def slope_kb_a_minute(self):
        """Of the memory, by least squares, after warm-up."""
        looks = self.measured()
        return 60 * statistics.linear_regression([l.at_s for l in looks], [l.rss_kb for l in looks]).slope

    def grown_kb(self):
        """What that slope comes to over the time that was measured."""
        looks = self.measured()
        return self.slope_kb_a_minute() * (looks[-1].at_s - looks[0].at_s) / 60

    def ticks(self):
        """Late, given up and caught up, in the order of TICKS."""
        return [int(self.metrics[name] - self.before_metrics[name]) for name in TICKS]

    def heap_calls(self, thread):
        """What this thread asked of the heap in the run."""
        return self.heap_after.get(thread, 0) - self.heap_before.get(thread, 0)

    def late_without_excuse(self):
        """Late ticks at moments when the machine's own timers were in time."""
        return sum(int(count) for since, until, count in self.late_at if not self.machine.was_late(since - 0.1, until))

    def counted(self):
        """Calls by the metrics: begun, answered, over."""
        names = ('offhook_calls_total{way="in"}', "offhook_calls_answered_total", "offhook_calls_ended_total")
        return [int(self.metrics[name] - self.before_metrics[name]) for name in names]

    def has_priority(self):
        """Whether the audio thread runs with real-time priority."""
        tid = next(tid for name, tid in self.offhook.threads().items() if "audio" in name)
        return os.sched_getscheduler(tid) == os.SCHED_FIFO

    def report(self):
        told, measured = self.told, self.measured()
        late, given_up, caught_up = self.ticks()
        begun, answered, over = self.counted()
        worst_ms = 1e3 * self.metrics["offhook_audio_worst_lateness_seconds"]
        lines = [
            f"{self.minutes:g} min, up to {self.calls} calls at once: {told['placed']} placed, {told['answered']} answered, "
            f"{told['vanished']} callers vanished, {told['rubbish']} packets of rubbish",
            f"metrics: {begun} calls began, {answered} were answered, {over} are over",
            f"packets: {told['received']} came back, {told['lost']} missing, {told['repeated']} repeated; mute calls {told['mute']}",
            f"memory: {measured[0].rss_kb} kB after warm-up, {measured[-1].rss_kb} kB at the end of the calls; slope "
            f"{self.slope_kb_a_minute():+.2f} kB a minute, {self.grown_kb():+.0f} kB over {len(measured) * self.look_s / 60:.1f} min",
            f"descriptors: {self.before.descriptors} before, {self.after.descriptors} after, "
            f"{max(look.descriptors for look in self.looks)} at most",
            f"reloads: {self.reloads} asked for, {self.refusals} of them of a bad file",
            f"ticks: {int(self.metrics['offhook_audio_ticks_total'])}, over 2 ms late {late}, caught up {caught_up}, "
            f"never run {given_up}; worst {worst_ms:.2f} ms",
            f"the callers: {told['late_packets']} packets sent over 2 ms late, worst {told['latest_ms']:.0f} ms",
            f"the machine: {self.machine.told()}",
        ]
        if not self.has_priority():
            lines.append("real-time scheduling is forbidden here: late ticks are said and not judged")
        if self.late_at:
            lines.append(f"late ticks: {', '.join(self._place(*late) for late in self.late_at[:20])}")
        return lines

    def _place(self, since, until, count):
        """When ticks were late, and how late the machine's own timers were then."""
        beside = f" (machine {self.machine.was_late(since - 0.1, until):.1f} ms)" if self.watched else ""
        return f"{count:g} at {since - self.looks[0].at_s:.0f} s{beside}"

    def faults(self, settled=True):
        """What is beyond a bound. `settled`: it ran long enough for memory and punctuality to be judged."""
        told = self.told
        late, given_up, _ = self.ticks()
        begun, answered, over = self.counted()
        faults = []
        if not begun == told["placed"] == over:
            faults.append(f"calls: {told['placed']} placed, {begun} counted, {over} over")
        # An answer without its ACK is no answered call.
        if not told["answered"] - told["vanished"] <= answered <= told["answered"]:
            faults.append(f"calls: {told['answered']} answered, {answered} counted")
        if told["refused"] or told["unanswered"] or told["mute"]:
            faults.append(f"calls: {told['refused']} refused, {told['unanswered']} unanswered, {told['mute']} mute")
        if told["lost"] or told["repeated"]:
            faults.append(f"packets: {told['lost']} missing, {told['repeated']} repeated")
        if told["strange"]:
            faults.append(f"packets: {told['strange']} for somebody else, from port {told['stranger']}")
        if self.after.descriptors != self.before.descriptors:
            faults.append(f"descriptors: {self.before.descriptors} before, {self.after.descriptors} after")
        if given_up:
            faults.append(f"ticks: {given_up} never ran")
        if settled and self.grown_kb() > MOST_GROWTH_KB:
            faults.append(f"memory: grew by {self.grown_kb():.0f} kB after warm-up")
        if settled and self.has_priority() and (late := self.late_without_excuse()):
            beside = " while the machine's own timers were not" if self.watched else ""
            faults.append(f"ticks: {late} over 2 ms late{beside}")
        reloads = sum(self.metrics[f'offhook_reloads_total{{outcome="{o}"}}'] for o in ("done", "refused"))
        if reloads < self.reloads:
            faults.append(f"reloads: {self.reloads} asked for, {reloads:g} counted")
        return faults
