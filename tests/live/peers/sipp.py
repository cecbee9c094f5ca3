"""sipp (package sip-tester): one scenario of ours, played against a target."""

import pathlib

from kit import Failed
from peers.process import Process, program
from rig import scenarios


class Sipp(Process):
    """Plays a scenario `calls` times. `finished()` waits for it and says what it met when it did not go through."""

    def __init__(
        self,
        ground,
        scenario,
        target_port,
        service="600",
        calls=1,
        transport="udp",
        auth=None,
        rate=10,
        at_once=None,
        limit_s=25,
        extra=(),
        name=None,
    ):
        name = name or f"sipp-{scenario}"
        folder = ground.place(name)
        binary = program("sipp", "sip-tester")
        (folder / "scenario.xml").write_text(scenarios.text(scenario), encoding="latin-1")
        self.limit_s, self.scenario, self.port = limit_s, scenario, ground.port()
        media = ground.port()
        target = [f"127.0.0.1:{target_port}"] if target_port else []
        argv = [
            binary,
            *target,
            "-sf",
            "scenario.xml",
            "-i",
            "127.0.0.1",
            "-p",
            self.port,
            "-mi",
            "127.0.0.1",
            "-mp",
            media,
            "-s",
            service,
            "-m",
            calls,
            "-l",
            at_once or calls,
            "-r",
            rate,
            "-t",
            {"udp": "u1", "tcp": "t1"}[transport],
            "-nostdin",
            "-timeout",
            f"{limit_s}s",
            "-timeout_error",
            "-recv_timeout",
            "6000",
            "-trace_err",
            "-error_file",
            "errors.log",
            "-trace_msg",
            "-message_file",
            "messages.log",
            "-aa",
            *extra,
        ]
        super().__init__(name, argv, folder)

    def finished(self):
        """Returns when all calls went as the scenario has it."""
        try:
            code = self.child.wait(self.limit_s + 10)
        except Exception as late:
            raise Failed(f"sipp {self.scenario}: did not end") from late
        if code != 0:
            raise Failed(f"sipp {self.scenario}: {self._why() or f'exit code {code}'}")

    def _why(self):
        lines = self._file("errors.log").splitlines()
        told = [
            line
            for line in lines
            if any(w in line for w in ("nexpected", "Aborting", "did not match", "imeout", "rror"))
        ]
        return (told or lines or [""])[0][:300]

    def _file(self, name):
        path = pathlib.Path(self.folder, name)
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self):
        return "\n".join(self._file("errors.log").splitlines()[-15:] + self._file("messages.log").splitlines()[-70:])
