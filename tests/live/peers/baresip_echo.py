"""baresip's echo module as a yardstick: any number of calls, each answered with its own voice."""

import pathlib
import time

from kit import Failed, Skipped
from peers.baresip import FOLDERS
from peers.process import Process, program
from rig import ping

MODULES = ("g711", "aubridge", "echo", "account", "menu")


class BaresipEcho(Process):
    """As it is configured by default, but for what makes it answer many calls and use no sound card."""

    def __init__(self, ground, most_calls, name="baresip"):
        folder = ground.place(name)
        binary = program("baresip", "baresip-core")
        where = next((f for f in FOLDERS if pathlib.Path(f, "echo.so").exists()), None)
        if not where:
            raise Skipped("baresip's modules are not where Debian puts them")
        self.sip_port = ground.port()
        config = [
            f"sip_listen 127.0.0.1:{self.sip_port}",
            "net_interface 127.0.0.1",
            "audio_source aubridge,none",
            "audio_player aubridge,none",
            "audio_alert aubridge,none",
            f"call_max_calls {most_calls}",
            "rtp_ports 32000-33999",
            f"module_path {where}",
            *(f"module {module}.so" for module in MODULES),
        ]
        (folder / "config").write_text("\n".join(config) + "\n")
        (folder / "accounts").write_text(f"<sip:600@127.0.0.1:{self.sip_port}>;regint=0;answermode=manual\n")
        (folder / "contacts").write_text("")
        super().__init__(name, [binary, "-4", "-f", folder], folder)

    def settle(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if not self.running():
                raise Failed(f"baresip ended at its start:\n{self.tail()}")
            if ping.options_ping("127.0.0.1", self.sip_port, timeout=0.2, retries=1)[0]:
                return
            time.sleep(0.05)
        raise Failed(f"baresip does not answer OPTIONS:\n{self.tail()}")
