"""A lab of its own for the checks: the program under test, started on free ports, and its control interface."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request


class Lab:
    """Runs `offhook lab`; use it in a `with` block."""

    def __init__(self, program):
        self.program = program
        self.scratch = tempfile.TemporaryDirectory(prefix="offhook-lab-")
        certificate = str(pathlib.Path(self.scratch.name, "lab.pem"))
        self.process = subprocess.Popen(
            [program, "lab", "--port", "0", "--tls-port", "0", "--wyoming-port", "0", "--certificate", certificate],
            stdout=subprocess.PIPE, text=True)
        lines = []
        while not lines or (lines[-1] and "the voice" not in lines[-1]):
            lines.append(self.process.stdout.readline())
        places = dict(re.findall(r"lab: (https?|tcp)://(\S+)", "".join(lines)))
        if not {"http", "https", "tcp"} <= set(places):
            raise RuntimeError(f"the lab did not start: {lines}")
        self.voice = lines[-1].strip()
        self.http, self.ws = "http://" + places["http"], "ws://" + places["http"]
        self.https, self.tcp = "https://" + places["https"], "tcp://" + places["tcp"]
        # The SDKs have no option for it; OpenSSL reads this one.
        os.environ["SSL_CERT_FILE"] = certificate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.scratch.cleanup()

    def control(self, path, body=None, method=None):
        data = body.encode() if body is not None else None
        request = urllib.request.Request(self.http + "/lab/" + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fault(self, switches):
        self.control("faults", switches)

    def script(self, utterances=(), replies=()):
        self.control("script", json.dumps({"utterances": list(utterances), "replies": list(replies)}))

    def reset(self):
        for what in ("faults", "script", "seen"):
            self.control(what, method="DELETE")

    def seen(self, path):
        return [visit for visit in self.control("seen")["visits"] if path in visit["path"]]

    def last(self, path):
        """The last visit there, once it is over."""
        self.wait(lambda: self.seen(path) and self.seen(path)[-1]["ending"])
        return self.seen(path)[-1]

    @staticmethod
    def wait(condition, seconds=10):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.05)

    def speech(self, name, text="Good morning, I would like to book a room for two nights."):
        """The lab's own voice, to be heard by its recogniser."""
        url = f"{self.http}/v1/text-to-speech/v/stream?output_format={name}&lab.pace=0"
        request = urllib.request.Request(url, data=json.dumps({"text": text}).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()
