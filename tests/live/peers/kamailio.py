"""kamailio as a provider's registrar: digest, a location table, calls passed on to who registered."""

import time

from kit import Failed
from peers.process import Process, program
from rig import ping

MODULE_FOLDERS = ":".join(
    f"/usr/lib/{machine}kamailio/modules/" for machine in ("x86_64-linux-gnu/", "aarch64-linux-gnu/", "")
)

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
pv_buffer_size=4096
mpath="{modules}"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
alias="127.0.0.1:{port}"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xlog.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", {max_expires})
modparam("registrar", "min_expires", {min_expires})
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_expire", {nonce_s})
modparam("auth", "qop", "{qop}")
modparam("auth", "nonce_count", {nonce_count})

request_route {{
    xlog("L_INFO", "offhook-live: $rm from $si:$sp $fU -> $ru\\n");
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS") && uri == myself) {{ sl_send_reply("200", "OK"); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
        t_relay(); exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("live", "{password}", "0")) {{ www_challenge("live", "{challenge_flags}"); exit; }}
        save("location");
        xlog("L_INFO", "offhook-live: registered $tU expires $hdr(Expires) by $hdr(Contact)\\n");
        exit;
    }}
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    t_relay();
}}
"""


class Kamailio(Process):
    """Every user is known by the same password. It may be stopped and started again on the same port."""

    def __init__(
        self,
        ground,
        name="kamailio",
        port=None,
        password="sesame-live",
        algorithm="MD5",
        qop="auth",
        max_expires=3600,
        min_expires=0,
        nonce_s=300,
    ):
        self.port, self.password = port or ground.port(), password
        folder = ground.place(name)
        binary = program("kamailio", "kamailio")
        config = CONFIG.format(
            modules=MODULE_FOLDERS,
            port=self.port,
            password=password,
            max_expires=max_expires,
            min_expires=min_expires,
            algorithm=algorithm,
            qop=qop,
            nonce_s=nonce_s,
            nonce_count=1 if qop else 0,
            challenge_flags="1" if qop else "0",
        )
        (folder / "kamailio.cfg").write_text(config)
        # -DD: stays in the foreground with its children; -m, -M: little memory.
        argv = [
            binary,
            "-f",
            folder / "kamailio.cfg",
            "-DD",
            "-E",
            "-m",
            "32",
            "-M",
            "4",
            "-w",
            folder,
            "-Y",
            folder,
            "-P",
            folder / "pid",
        ]
        super().__init__(name, argv, folder)

    def settle(self):
        end = time.monotonic() + 8
        while time.monotonic() < end and self.running():
            status, _ = ping.options_ping("127.0.0.1", self.port, timeout=0.3, retries=1)
            if status:
                return
            time.sleep(0.1)
        raise Failed("kamailio does not answer OPTIONS")

    def registered(self, wait_s, since=0):
        """Waits until someone registered; returns the place in the log behind it."""
        return self.wait_for("offhook-live: registered", wait_s, since)
