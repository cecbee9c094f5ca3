"""kamailio as the provider: registration with digest, an outage, two trunks."""

import shutil
import subprocess
import time

import netns
from kit import Skipped, case, check
from peers.baresip import Baresip
from peers.caller import Caller
from peers.kamailio import Kamailio
from peers.offhook import Offhook
from rig import sound

# What the README promises: registered again so long after the registrar's return.
RETURN_S = 30


def trunk(ground, registrar, user="appliance", **more):
    """The section [trunk] for this registrar."""
    secret = ground.folder / "trunk-password"
    secret.write_text(registrar.password + "\n")
    return {
        "server": f"127.0.0.1:{registrar.port}",
        "transport": "udp",
        "user": user,
        "password_file": str(secret),
        **more,
    }


@case()
def digest_md5(ground):
    """Registered by MD5, found by the registrar, called through it, heard both ways"""
    registrar = ground.start(Kamailio(ground))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar)}, routes={"appliance": "echo"}))
    registrar.registered(5)
    said = sound.voice(ground.folder, 12)
    account = f"<sip:caller@127.0.0.1:{registrar.port}>;auth_pass={registrar.password};regint=0"
    caller = ground.start(Baresip(ground, [account], said))
    caller.command("dial", f"sip:appliance@127.0.0.1:{registrar.port}")
    caller.event("CALL_ESTABLISHED")
    time.sleep(5)
    caller.command("hangup")
    time.sleep(0.5)
    found = sound.compare(said, caller.recording(), until_s=4)
    check(found.share >= 0.85, f"through the registrar: {found}")


@case()
def digest_sha256(ground):
    """Registered by SHA-256"""
    registrar = ground.start(Kamailio(ground, algorithm="SHA-256"))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar)}))
    registrar.registered(5)


@case()
def without_qop(ground):
    """Registered with an old challenge that has no qop"""
    registrar = ground.start(Kamailio(ground, qop=""))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar)}))
    registrar.registered(5)


@case()
def over_tcp(ground):
    """Registered over TCP"""
    registrar = ground.start(Kamailio(ground))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar, transport="tcp")}))
    registrar.registered(5)


@case()
def before_its_network(ground):
    """Up before its network: the address is told when there is one, and again when it is another"""
    if not (netns.is_apart() and shutil.which("ip")):
        raise Skipped("needs a network namespace of its own and iproute2, to give it a network")
    registrar = ground.start(Kamailio(ground))
    server = f"localhost:{registrar.port}"
    sip_port = ground.port()
    sip = {"listen": f"0.0.0.0:{sip_port}", "tcp": False}
    offhook = Offhook(ground, {"trunk": trunk(ground, registrar, server=server), "sip": sip})
    offhook.sip_port = sip_port
    ground.start(offhook)
    since = registrar.registered(5)
    check(f"@127.0.0.1:{sip_port}" in registrar.log(), "without a network it has no address but its own")
    for address in ("10.88.0.2", "10.88.0.3"):
        for words in (f"address add {address}/32 dev lo", f"route replace default dev lo src {address}"):
            subprocess.run(["ip", *words.split()], check=True)
        # It looks every five seconds.
        since = registrar.registered(8, since)
        told = [line for line in registrar.log().splitlines() if "registered" in line][-1]
        check(f"@{address}:{sip_port}" in told, f"at {address} it registered as: {told}")
        check(f"our own address is {address} now" in offhook.log(), "nothing in the log")


@case()
def wrong_password(ground):
    """Refused, it does not hammer: few tries in five seconds"""
    registrar = ground.start(Kamailio(ground))
    settings = trunk(ground, registrar)
    (ground.folder / "trunk-password").write_text("not-it\n")
    offhook = ground.start(Offhook(ground, {"trunk": settings}))
    time.sleep(5)
    tries = registrar.log().count("offhook-live: REGISTER")
    check("offhook-live: registered" not in registrar.log(), "registered with a wrong password")
    check(1 <= tries <= 8, f"{tries} REGISTERs in 5 s")
    offhook.alive()


@case(limit_s=90)
def refresh(ground):
    """Renewed well before its end: the registrar grants 10 s only"""
    registrar = ground.start(Kamailio(ground, max_expires=10))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar)}))
    at = registrar.registered(5)
    began = time.monotonic()
    at = registrar.registered(10, at)
    registrar.registered(10, at)
    check(time.monotonic() - began < 19, "the registration ran out in between")


@case(limit_s=120)
def outage(ground):
    """The registrar dies and returns: registered again at most 30 s later, and calls arrive"""
    registrar = ground.start(Kamailio(ground, max_expires=20))
    ground.start(Offhook(ground, {"trunk": trunk(ground, registrar)}))
    registrar.registered(5)
    registrar.stop()
    # Long enough for the renewal to fail and for the back-off to grow.
    time.sleep(35)
    again = ground.start(Kamailio(ground, name="kamailio-again", port=registrar.port, max_expires=20))
    began = time.monotonic()
    again.registered(RETURN_S)
    ground.say(f"registered again {time.monotonic() - began:.1f} s after the return")


@case(limit_s=150)
def two_trunks(ground):
    """Both are registered; the first dies and the second carries on; the first returns and is used again"""
    first = ground.start(Kamailio(ground, name="first", max_expires=15))
    second = ground.start(Kamailio(ground, name="second", max_expires=15))
    settings = {"trunk": trunk(ground, first), "trunk.fallback": trunk(ground, second)}
    offhook = ground.start(Offhook(ground, settings))
    first.registered(5)
    second.registered(5)
    first.stop()
    wait_for_trunk(offhook, down=first.port, limit_s=60)
    again = ground.start(Kamailio(ground, name="first-again", port=first.port, max_expires=15))
    began = time.monotonic()
    again.registered(RETURN_S)
    ground.say(f"the first trunk was back after {time.monotonic() - began:.1f} s")
    second.registered(20, len(second.log()))


def wait_for_trunk(offhook, down, limit_s):
    """Until /ready or the log says that the trunk at this port is down."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        _, said = offhook.http("/ready")
        if "trunk" in said and ("down" in said or "unreachable" in said or "fallback" in said):
            return
        time.sleep(0.5)
    check(False, f"/ready says nothing of the dead trunk at {down}: {offhook.http('/ready')[1]}")


def answering(ground, name, port):
    """A trunk without registration that answers calls and OPTIONS."""
    return ground.start(Caller(ground, None, "--duration", "4", "--calls", "0", name=name, listen_port=port))


@case(limit_s=150)
def calls_leave_by_the_second_trunk(ground):
    """A call leaves by the first trunk; that dies, and the next call goes to the second; it returns, and is preferred again"""
    first_port, second_port = ground.port(), ground.port()
    first, second = answering(ground, "first", first_port), answering(ground, "second", second_port)

    def watched(port):
        return {"server": f"127.0.0.1:{port}", "transport": "udp", "register": False, "user": "appliance"}

    trunks = {"trunk": watched(first_port), "trunk.fallback": watched(second_port)}
    offhook = ground.start(Offhook(ground, trunks))
    # Both answer OPTIONS by then, also where the first one came too early.
    time.sleep(3)
    offhook.place_call("4711")
    comes_to(first)
    first.stop()
    # Not told yet that the first is gone: the INVITE itself finds out.
    offhook.place_call("4712")
    comes_to(second)
    wait_for_trunk(offhook, down=first_port, limit_s=90)
    offhook.place_call("4713")
    comes_to(second, calls=2)
    again = answering(ground, "first-again", first_port)
    began = time.monotonic()
    while "OPTIONS sip:" not in heard_by(again):
        check(time.monotonic() - began < RETURN_S, "the first trunk was not asked again")
        time.sleep(0.2)
    time.sleep(0.5)
    offhook.place_call("4714")
    comes_to(again)
    check(heard_by(second).count("INVITE sip:") == 2, "the second trunk got a call that was the first one's")
    ground.say(f"the first trunk was asked {time.monotonic() - began:.1f} s after its return")


def heard_by(caller):
    log = caller.folder / "sip.log"
    return log.read_text(errors="replace") if log.exists() else ""


def comes_to(caller, calls=1, limit_s=40):
    end = time.monotonic() + limit_s
    while heard_by(caller).count("INVITE sip:") < calls:
        check(time.monotonic() < end, f"no call came to {caller.name} within {limit_s} s")
        time.sleep(0.1)
