"""The program under test: `offhook run` with a configuration of its own, on ports of its own."""

import json
import pathlib
import time
import urllib.error
import urllib.request

from kit import Failed, check
from peers.process import Process
from rig import ping

# What every case gets; a case may add, change or (with None) take away.
ROUTES = {
    "600": "echo",
    "601": "tone",
    "602": "echo ring 4",
    "603": "echo early 2",
    "*00": "reject",
}


class Offhook(Process):
    """Ready when OPTIONS is answered. On `with`'s end it is told to stop, and has to do so in order."""

    def __init__(self, ground, settings=None, routes=None, name="offhook", tls=None, binary=None, under=(), env=None):
        folder = ground.place(name)
        self.sip_port, self.http_port = ground.port(), ground.port()
        self.tls_port = ground.port() if tls else None
        first = ground.port()
        sections = {
            "sip": {"listen": f"127.0.0.1:{self.sip_port}"},
            "media": {"port_first": 30_000, "port_last": 31_999, "rtp_timeout_s": 30},
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
            "calls": {"max": 50, "drain_s": 2},
            "log": {"level": "debug", "format": "text"},
        }
        if not ground.apart:
            # Shared with other programs: a stretch that the system did not just give away.
            sections["media"].update(port_first=first, port_last=min(first + 999, 65_534))
        if tls:
            sections["sip"].update(
                tls_listen=f"127.0.0.1:{self.tls_port}", certificate_file=str(tls[0]), key_file=str(tls[1])
            )
        for section, keys in (settings or {}).items():
            sections.setdefault(section, {}).update(keys)
        sections["route"] = {k: v for k, v in {**ROUTES, **(routes or {})}.items() if v is not None}
        self.config, self.sections = folder / "offhook.toml", sections
        self.write_config()
        argv = [*under, binary or ground.options.binary, "run", "--config", self.config]
        super().__init__(name, argv, folder, env=env, stop_s=8.0)
        self.may_end = False

    def write_config(self, **changes):
        """Writes its configuration anew, with other values for some sections' keys."""
        sections = {name: {**keys, **changes.get(name, {})} for name, keys in self.sections.items()}
        sections.update((name, keys) for name, keys in changes.items() if name not in sections)
        made = self.config.with_suffix(".new")
        made.write_text(toml(sections))
        made.replace(self.config)

    def settle(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if not self.running():
                raise Failed(f"offhook run ended at its start with exit code {self.child.returncode}:\n{self.tail()}")
            status, _ = ping.options_ping("127.0.0.1", self.sip_port, timeout=0.2, retries=1)
            if status:
                return
            time.sleep(0.02)
        raise Failed(f"offhook does not answer OPTIONS 10 s after its start:\n{self.tail()}")

    def __exit__(self, kind, *_):
        was_running = self.running()
        code = self.stop()
        if kind is None and not self.may_end:
            check(was_running, f"offhook died during the case, exit code {code}")
            check(code == 0, f"offhook did not end in order after SIGTERM: exit code {code} (None: had to be killed)")

    def uri(self, number, transport=""):
        port = self.tls_port if transport == "tls" else self.sip_port
        return f"sip:{number}@127.0.0.1:{port}" + (f";transport={transport}" if transport else "")

    def alive(self, transport="udp"):
        status, _ = ping.options_ping("127.0.0.1", self.sip_port, transport=transport)
        check(status, f"OPTIONS over {transport} is not answered any more")

    # ---- HTTP

    def http(self, path, body=None):
        """The text of an answer, whatever its code."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        data = None if body is None else json.dumps(body).encode()
        ask = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"} if data else {})
        try:
            with urllib.request.urlopen(ask, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError as fault:
            raise Failed(f"HTTP {path}: {fault}") from fault

    def place_call(self, to, target="echo"):
        code, text = self.http("/api/voice/calls", {"to": to, "answer": target})
        check(code in (200, 201, 202), f"POST /api/voice/calls: {code} {text}")

    def press(self, keys):
        """Presses keys in its one call, as soon as that stands."""
        self.act("keys", {"keys": keys})

    def act(self, what, body=None, wait_s=5):
        """Does something with its one call, as soon as that can be done."""
        end = time.monotonic() + wait_s
        while True:
            ids = [call["id"] for call in self.sessions()]
            code, text = self.http(f"/api/voice/sessions/{ids[0]}/{what}", body or {}) if ids else (404, "no call")
            if code == 202:
                return
            check(time.monotonic() < end, f"{what} cannot be done: {code} {text}")
            time.sleep(0.1)

    def wait_for_state(self, state, wait_s=5):
        """Waits until its one call is in this state."""
        end = time.monotonic() + wait_s
        while [call["state"] for call in self.sessions()] != [state]:
            check(time.monotonic() < end, f"the call is not {state}: {self.sessions()}")
            time.sleep(0.05)

    def sessions(self):
        """What it says of its calls."""
        code, text = self.http("/api/voice/sessions")
        check(code == 200, f"GET /api/voice/sessions: {code} {text}")
        said = json.loads(text)
        return said if isinstance(said, list) else said.get("sessions", [])

    def calls(self):
        """How many calls it says that it has."""
        return len(self.sessions())

    def metric(self, name):
        """The value of one sample of /metrics, its labels included in the name."""
        code, text = self.http("/metrics")
        check(code == 200, f"GET /metrics: {code}")
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise Failed(f"no {name} in /metrics")

    def keys(self):
        """How many telephone keys it heard, in all calls together."""
        return int(self.metrics()["offhook_keys_total"])

    def metrics(self):
        """Each line of /metrics: its name with its labels -> its value."""
        code, text = self.http("/metrics")
        check(code == 200, f"GET /metrics: {code}")
        pairs = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def threads(self):
        """Name of each thread -> its id."""
        tasks = pathlib.Path(f"/proc/{self.child.pid}/task")
        return {(t / "comm").read_text().strip(): int(t.name) for t in tasks.iterdir()}


def toml(sections):
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        for key, value in keys.items():
            # JSON's strings, numbers, booleans and lists of them are TOML's too.
            lines.append(f"{json.dumps(key) if section == 'route' else key} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"
