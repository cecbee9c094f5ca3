"""baresip and linphonec call offhook and are called by it: sound both ways, keys, hold, TLS and SRTP."""

import re
import time

from kit import case, check
from peers.baresip import Baresip
from peers.certificate import certificate
from peers.linphone import Linphone
from peers.offhook import Offhook
from rig import sound

SAYS_S = 6.0


def echoed(said, recording, what, at_least=0.85):
    """The echo route: the peer hears its own voice, but for the last second, which is on its way at the end."""
    found = sound.compare(said, recording, until_s=SAYS_S - 1, at_least=at_least)
    check(found.share >= 0.85, f"{what}: {found}")


def watched(peer):
    """Settings for a trunk without registration: this peer, watched with OPTIONS."""
    server = f"127.0.0.1:{peer.sip_port}"
    return {"trunk": {"server": server, "transport": "udp", "register": False, "user": "appliance"}}


def baresip_call(ground, account="", uri=None, tls=None, settings=None):
    offhook = ground.start(Offhook(ground, settings, tls=tls))
    said = sound.voice(ground.folder, 14)
    peer = ground.start(Baresip(ground, [f"<sip:baresip@127.0.0.1>;regint=0;answermode=auto{account}"], said))
    peer.command("dial", uri(offhook) if uri else offhook.uri("600"))
    peer.event("CALL_ESTABLISHED")
    time.sleep(SAYS_S)
    peer.command("hangup")
    time.sleep(0.5)
    echoed(said, peer.recording(), "baresip hears itself")
    offhook.alive()
    check(offhook.calls() == 0, "the call is still there after its end")
    return offhook, peer


@case()
def baresip_calls(ground):
    """baresip calls the echo and hears itself"""
    baresip_call(ground)


@case()
def baresip_srtp(ground):
    """The same encrypted (SDES)"""
    offhook, peer = baresip_call(ground, account=";mediaenc=srtp-mand")
    check("RTP/SAVP" in peer.log(), "the call was not encrypted")


@case()
def baresip_tls(ground):
    """The same with SIP over TLS, and SRTP"""
    baresip_call(
        ground, account=";mediaenc=srtp-mand", uri=lambda o: o.uri("600", "tls"), tls=certificate(ground.folder)
    )


@case()
def baresip_hold(ground):
    """Hold, resume, and the sound is there again; its keys are heard"""
    offhook = ground.start(Offhook(ground))
    said = sound.voice(ground.folder, 16)
    peer = ground.start(Baresip(ground, ["<sip:baresip@127.0.0.1>;regint=0"], said))
    peer.command("dial", offhook.uri("600"))
    peer.event("CALL_ESTABLISHED")
    time.sleep(1)
    peer.command("hold")
    time.sleep(1)
    peer.command("resume")
    time.sleep(3)
    peer.command("sndcode", "5")
    time.sleep(0.5)
    peer.command("hangup")
    time.sleep(0.5)
    check(offhook.keys() == 1, f"{offhook.keys()} keys were heard instead of 1")
    check(peer.log().count("SIP/2.0 200") >= 3, "a re-INVITE was not answered with 200")
    check("a=recvonly" in peer.log() or "a=inactive" in peer.log(), "the hold was not acknowledged in SDP")
    offhook.alive()


@case()
def baresip_hears_keys(ground):
    """Keys of ours reach baresip as telephone events, each once and in order"""
    offhook = ground.start(Offhook(ground))
    peer = ground.start(Baresip(ground, ["<sip:baresip@127.0.0.1>;regint=0"], sound.voice(ground.folder, 8)))
    peer.command("dial", offhook.uri("600"))
    peer.event("CALL_ESTABLISHED")
    offhook.press("159#")
    time.sleep(2)
    heard = re.findall(r"received event: '(.)' \(end=0\)", peer.log())
    pressed = "".join(key for i, key in enumerate(heard) if i == 0 or heard[i - 1] != key)
    check(pressed == "159#", f"baresip heard {heard} instead of 159#")
    peer.command("hangup")
    offhook.alive()


@case()
def baresip_is_called(ground):
    """offhook calls baresip, its trunk, which hears itself"""
    said = sound.voice(ground.folder, 14)
    peer = ground.start(Baresip(ground, ["<sip:baresip@127.0.0.1>;regint=0;answermode=auto"], said))
    offhook = ground.start(Offhook(ground, watched(peer)))
    offhook.place_call(f"sip:baresip@127.0.0.1:{peer.sip_port}")
    peer.event("CALL_ESTABLISHED")
    time.sleep(SAYS_S)
    peer.command("hangup")
    time.sleep(0.5)
    echoed(said, peer.recording(), "baresip, called, hears itself")


def linphone_call(ground, tls=None, at_least=0.85, **options):
    offhook = ground.start(Offhook(ground, tls=tls))
    said = sound.voice(ground.folder, 10)
    peer = ground.start(Linphone(ground, said, **options))
    peer.call(offhook.uri("600", "tls" if tls else ""))
    peer.established()
    time.sleep(SAYS_S)
    peer.tell("5")
    time.sleep(0.3)
    peer.tell("terminate")
    peer.ended()
    time.sleep(0.5)
    check(offhook.keys() == 1, f"{offhook.keys()} keys were heard instead of 1")
    echoed(said, peer.recording(), "linphone hears itself", at_least)
    offhook.alive()
    return offhook, peer


@case()
def linphone_calls(ground):
    """linphone calls the echo, hears itself, and presses a key"""
    linphone_call(ground)


@case()
def linphone_opus(ground):
    """The same with Opus, which keeps the sound and not the wave"""
    linphone_call(ground, codecs=("opus",), at_least=0.6)


@case()
def linphone_g722(ground):
    """The same with G.722"""
    linphone_call(ground, codecs=("G722",))


@case()
def linphone_srtp(ground):
    """The same encrypted (SDES)"""
    linphone_call(ground, encryption="srtp")


@case()
def linphone_tls(ground):
    """The same with SIP over TLS, and SRTP"""
    linphone_call(ground, tls=certificate(ground.folder), encryption="srtp", transport="tls")


@case()
def linphone_hold(ground):
    """Hold and resume"""
    offhook = ground.start(Offhook(ground))
    peer = ground.start(Linphone(ground, sound.voice(ground.folder, 12)))
    peer.call(offhook.uri("600"))
    at = peer.established()
    time.sleep(1)
    peer.tell("pause")
    at = peer.wait_for("paused", 5, at)
    time.sleep(1)
    peer.tell("resume")
    peer.wait_for("Media streams established", 5, at)
    time.sleep(1)
    peer.tell("terminate")
    peer.ended()
    offhook.alive()


@case()
def linphone_hears_keys(ground):
    """Keys of ours reach linphone as telephone events, each once and in order"""
    offhook = ground.start(Offhook(ground))
    peer = ground.start(Linphone(ground, sound.voice(ground.folder, 10)))
    peer.call(offhook.uri("600"))
    peer.established()
    offhook.press("159#")
    time.sleep(2)
    heard = "".join(re.findall(r"Receiving tone (.) from", peer.log()))
    check(heard == "159#", f"linphone heard {heard!r} instead of 159#")
    peer.tell("terminate")
    peer.ended()
    offhook.alive()


@case()
def linphone_is_called(ground):
    """offhook calls linphone, its trunk, which answers and hears itself"""
    said = sound.voice(ground.folder, 12)
    peer = ground.start(Linphone(ground, said, auto=True))
    offhook = ground.start(Offhook(ground, watched(peer)))
    offhook.place_call(f"sip:linphone@127.0.0.1:{peer.sip_port}")
    peer.established()
    time.sleep(SAYS_S)
    peer.tell("terminate")
    peer.ended()
    time.sleep(0.5)
    echoed(said, peer.recording(), "linphone, called, hears itself")
