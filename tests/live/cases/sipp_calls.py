"""sipp calls: what an exchange may do with a call, message by message."""

from kit import case, check
from peers.offhook import Offhook
from peers.sipp import Sipp

# sipp calls without sound; offhook shall not end them for that while they are about something else.
NO_RTP_TIMEOUT = {"media": {"rtp_timeout_s": 600}}


def plays(ground, *scenarios, service="600", settings=None, **options):
    """Each scenario in turn against one offhook, which must still answer and hold no call afterwards."""
    offhook = ground.start(Offhook(ground, settings))
    for scenario in scenarios:
        ground.start(Sipp(ground, scenario, offhook.sip_port, service, **options)).finished()
    offhook.alive()
    check(offhook.calls() == 0, f"{offhook.calls()} calls are left when all have ended")
    return offhook


@case()
def basic(ground):
    """INVITE, ACK, BYE; OPTIONS inside and outside a call"""
    plays(ground, "uac_basic", "options", "options_in_call", "options_last_hop")


@case()
def over_tcp(ground):
    """The same over TCP"""
    plays(ground, "uac_basic", "options", "uac_hold", transport="tcp")


@case()
def codecs(ground):
    """Offers that put G.722 and Opus first, and one with three media"""
    plays(ground, "uac_g722_first", "uac_opus_first", "uac_three_media")


@case()
def delayed_offer(ground):
    """INVITE without SDP"""
    plays(ground, "uac_delayed")


@case()
def prack(ground):
    """Reliable provisional answers and their PRACKs"""
    offhook = plays(ground, "uac_reliable_early", service="603")
    ground.start(Sipp(ground, "uac_reliable_required", offhook.sip_port, "602")).finished()


@case()
def early_media(ground):
    """183 with SDP before the answer"""
    plays(ground, "uac_early", service="603")


@case()
def hold(ground):
    """Hold by a=sendonly and by c=0.0.0.0, and resume"""
    plays(ground, "uac_hold", "uac_hold_by_address")


@case()
def cancel(ground):
    """CANCEL while it rings"""
    plays(ground, "uac_cancel", service="602")


@case()
def session_timer(ground):
    """The caller refreshes, by re-INVITE and by UPDATE; one too short is refused with 422"""
    plays(ground, "uac_timer_reinvite", "uac_timer_update", "uac_timer_too_short")


@case(limit_s=90)
def session_timer_ours(ground):
    """Asked to, offhook refreshes the session itself, before half of 90 s are over"""
    plays(ground, "uac_timer_ours", settings=NO_RTP_TIMEOUT, limit_s=70, extra=("-recv_timeout", "60000"))


@case(long=True, limit_s=150)
def session_timer_expires(ground):
    """The caller breaks his promise to refresh: offhook ends the call before 90 s are over"""
    plays(ground, "uac_timer_expires", settings=NO_RTP_TIMEOUT, limit_s=120, extra=("-recv_timeout", "100000"))


@case()
def transfer(ground):
    """A route that hands the caller on with REFER, and hangs up once that worked"""
    offhook = ground.start(Offhook(ground, routes={"610": "transfer sip:desk@127.0.0.1:5099"}))
    ground.start(Sipp(ground, "uac_transferred", offhook.sip_port, "610")).finished()


@case()
def refused(ground):
    """What cannot be: unknown numbers, codecs, extensions, bodies, methods, calls"""
    plays(
        ground,
        "uac_no_codec",
        "uac_extension",
        "uac_not_sdp",
        "uac_stray_bye",
        "uac_unknown_method",
        "uac_false_length",
        "uac_referred_from_outside",
    )
    offhook = ground.peers[0]
    ground.start(Sipp(ground, "uac_no_route", offhook.sip_port, "5551234")).finished()


@case()
def keys_by_info(ground):
    """A key as SIP INFO"""
    plays(ground, "uac_info_key")


@case()
def keys_out_by_info(ground):
    """A key of ours as SIP INFO, to a caller that has no telephone events"""
    offhook = ground.start(Offhook(ground))
    caller = ground.start(Sipp(ground, "uac_hears_info_key", offhook.sip_port))
    offhook.press("5")
    caller.finished()


@case()
def steered(ground):
    """Hold, resume, transfer and hang-up, asked for by HTTP"""
    offhook = ground.start(Offhook(ground, NO_RTP_TIMEOUT))
    caller = ground.start(Sipp(ground, "uac_steered", offhook.sip_port))
    for what, state in (("hold", "held"), ("resume", "up")):
        offhook.act(what)
        offhook.wait_for_state(state)
    offhook.act("transfer", {"to": "sip:human@127.0.0.1"})
    offhook.act("hang-up")
    caller.finished()
    check(offhook.calls() == 0, "the call is there yet")


@case(alone=True, limit_s=120)
def load(ground):
    """Calls at once (50, or --calls N), each with audio echoed; none fails, none is left"""
    count = ground.options.calls
    offhook = ground.start(Offhook(ground, {"calls": {"max": max(50, min(500, count))}}))
    before = offhook.descriptors()
    busy = Sipp(
        ground,
        "uac_load",
        offhook.sip_port,
        calls=count,
        at_once=count,
        rate=25,
        limit_s=90,
        extra=("-d", "6000"),
    )
    cpu = offhook.cpu_s()
    ground.start(busy).finished()
    used = offhook.cpu_s() - cpu
    check(offhook.calls() == 0, f"{offhook.calls()} calls are left when all have ended")
    ground.say(f"{count} calls of 6 s: {used:.2f} s of processor, {offhook.resident_kb()} kB resident")
    check(offhook.descriptors() <= before + 2, f"descriptors grew from {before} to {offhook.descriptors()}")
