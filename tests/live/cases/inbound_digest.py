"""Callers that have to prove who they are: sip.caller_user.

Not with sipp: it reads only the first challenge, which is SHA-256 (RFC 8760 has the best one first), and knows MD5 only.
"""

from kit import case, check
from peers.baresip import Baresip
from peers.caller import Caller
from peers.offhook import Offhook
from rig import sound

USER, SECRET = "caller-live", "open-live"


def guarded(ground):
    secret = ground.folder / "caller-secret"
    secret.write_text(SECRET + "\n")
    return ground.start(Offhook(ground, {"sip": {"caller_user": USER, "caller_password_file": str(secret)}}))


@case()
def both_algorithms(ground):
    """The right password opens, by SHA-256 and by MD5"""
    offhook = guarded(ground)
    for algorithm in ("SHA-256", "MD5"):
        options = ("--auth", f"{USER}:{SECRET}", "--digest", algorithm, "--duration", "1")
        ground.start(Caller(ground, offhook.uri("600"), *options, name=algorithm)).finished()


@case()
def kept_out(ground):
    """A wrong password, a wrong name and none at all stay out"""
    offhook = guarded(ground)
    for number, options in enumerate((("--auth", f"{USER}:not-it"), ("--auth", f"nobody:{SECRET}"), ())):
        caller = Caller(ground, offhook.uri("600"), *options, "--duration", "1", name=f"caller-{number}")
        told = ground.start(caller).finished(answered=False)
        check(told["final"] in (401, 403, 407), f"{options}: answered with {told['final']}")
    check(offhook.calls() == 0, "a call came up")


@case()
def baresip(ground):
    """baresip answers the challenge"""
    offhook = guarded(ground)
    account = f"<sip:{USER}@127.0.0.1>;auth_user={USER};auth_pass={SECRET};regint=0"
    peer = ground.start(Baresip(ground, [account], sound.voice(ground.folder, 10)))
    peer.command("dial", offhook.uri("600"))
    peer.event("CALL_ESTABLISHED")
    peer.command("hangup")
    peer.event("CALL_CLOSED")
