"""The soak in small: a minute of calls coming and going. scripts/soak is the long form."""

from kit import case, check
from measure.heap import Heap
from measure.soaking import Soak


@case(limit_s=240)
def a_minute(ground):
    """Calls come and go, callers vanish, rubbish comes in, the configuration changes: everything is accounted for"""
    soak = Soak(ground, minutes=1, calls=10, rate=2, heap=Heap(ground))
    soak.run()
    for line in soak.report():
        ground.say(line)
    faults = soak.faults(settled=False)
    check(not faults, "; ".join(faults))
    # S2, in the program itself: the audio thread allocates and frees nothing, while the trunk's serves its calls.
    check("audio" in soak.offhook.threads(), "no thread is called audio")
    counted = {thread: soak.heap_calls(thread) for thread in ("audio", "trunk")}
    ground.say(f"asked of the heap, by thread: {counted}")
    check(counted["audio"] == 0 and counted["trunk"] > 100, f"the audio thread is at the heap: {counted}")
