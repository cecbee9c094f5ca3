"""linphonec (package linphone-cli): the library of the Linphone telephones behind a command line."""

import re
import time

from kit import Failed
from peers.process import Process, program

RC = """[sip]
sip_port={sip}
sip_tcp_port={tcp}
sip_tls_port={tls}
bind_address=127.0.0.1
guess_hostname=0
use_ipv6=0
ipv6_migration_done=1
contact=sip:linphone@127.0.0.1:{sip}
media_encryption={encryption}
media_encryption_mandatory={mandatory}
verify_server_certs=0
verify_server_cn=0
register_only_when_network_is_up=0
use_info={info}
use_rfc2833={events}

[rtp]
audio_rtp_port={rtp}
audio_adaptive_jitt_comp_enabled=1

[net]
firewall_policy=0
mtu=1300
adaptive_rate_control=0

[video]
enabled=0

[sound]
echocancellation=0
agc=0
"""


class Linphone(Process):
    """`voice` is the WAV that it plays into its calls; what it hears goes to `recording()`."""

    def __init__(
        self,
        ground,
        voice,
        name="linphone",
        codecs=("PCMU", "PCMA"),
        encryption="none",
        transport="udp",
        info=False,
        auto=False,
    ):
        folder = ground.place(name)
        binary = program("linphonec", "linphone-cli")
        self.sip_port, self.rtp_port = ground.port(), ground.port()
        self.voice, self.codecs = voice, codecs
        rc = RC.format(
            sip=self.sip_port if transport == "udp" else 0,
            tcp=self.sip_port if transport in ("udp", "tcp") else 0,
            tls=self.sip_port if transport == "tls" else 0,
            rtp=self.rtp_port,
            encryption=encryption,
            mandatory=int(encryption != "none"),
            info=int(info),
            events=int(not info),
        )
        (folder / "rc").write_text(rc)
        for place in (".local/share/linphone", ".config/linphone"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        argv = [binary, "-c", folder / "rc", *(["-a"] if auto else []), "-d", "6", "-l", folder / "core.log"]
        super().__init__(name, argv, folder, stdin=True, env={"HOME": str(folder), "TERM": "dumb"})

    def settle(self):
        # It prompts without an end of line, and takes orders from then on.
        self.wait_for("linphonec>", 15)
        self.tell("soundcard use files")
        self.wait_for("Using wav files", 5)
        self.tell(f"play {self.voice}")
        self.tell(f"record {self.folder / 'heard.wav'}")
        self._choose_codecs()

    def _choose_codecs(self):
        since = len(self.log())
        self.tell("codec list")
        self.wait_for("\n18:", 5, since)
        for number, name in re.findall(r"^ *(\d+): (\S+) \(\d+\)", self.log()[since:], re.M):
            self.tell(f"codec {'enable' if name in self.codecs else 'disable'} {number}")

    def stop(self):
        if self.running():
            self.tell("quit")
            end = time.monotonic() + 3
            while self.running() and time.monotonic() < end:
                time.sleep(0.05)
        return super().stop()

    def call(self, uri):
        self.tell(f"call {uri}")

    def established(self, wait_s=10.0, since=0):
        """Both directions say the same."""
        return self.wait_for("connected.", wait_s, since)

    def ended(self, wait_s=10.0, since=0):
        return self.wait_for("ended", wait_s, since)

    def recording(self):
        path = self.folder / "heard.wav"
        if not path.exists():
            raise Failed("linphone recorded nothing")
        return path

    def tail(self):
        core = self.folder / "core.log"
        wire = core.read_text(errors="replace").splitlines()[-80:] if core.exists() else []
        return super().tail() + "\n" + "\n".join(wire)
