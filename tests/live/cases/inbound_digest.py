"""Callers that have to prove who they are: sip.caller_user.

sipp 3.6 and baresip 1.0 read only the first challenge, which is SHA-256 (RFC 8760 2.4 has the preferred one first), and
know MD5 only: for them there is sip.caller_digest.
"""

from kit import case, check
from peers.caller import Caller
from peers.offhook import Offhook
from peers.sipp import Sipp

USER, SECRET = "caller-live", "open-live"


def guarded(ground, **more):
    secret = ground.folder / "caller-secret"
    secret.write_text(SECRET + "\n")
    settings = {"caller_user": USER, "caller_password_file": str(secret), **more}
    return ground.start(Offhook(ground, {"sip": settings}))


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
def md5_first(ground):
    """sipp, which reads the first challenge only, gets in where MD5 is asked for first"""
    offhook = guarded(ground, caller_digest="MD5")
    # sipp would leave the number out of the address that the digest covers.
    account = ("-au", USER, "-ap", SECRET, "-auth_uri", f"600@127.0.0.1:{offhook.sip_port}")
    ground.start(Sipp(ground, "uac_digest", offhook.sip_port, extra=account)).finished()
