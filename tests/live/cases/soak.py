"""The soak in small: a minute of calls coming and going. scripts/soak is the long form."""

from kit import case, check
from measure.soaking import Soak


@case(limit_s=240)
def a_minute(ground):
    """Calls come and go, callers vanish, rubbish comes in, the configuration changes: everything is accounted for"""
    soak = Soak(ground, minutes=1, calls=10, rate=2)
    soak.run()
    for line in soak.report():
        ground.say(line)
    faults = soak.faults(settled=False)
    check(not faults, "; ".join(faults))
