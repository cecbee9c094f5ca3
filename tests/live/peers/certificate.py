"""A certificate of our own for the TLS listener, made by openssl for one case."""

import pathlib
import subprocess

from peers.process import program


def certificate(folder):
    """Certificate and key as PEM files, for 127.0.0.1 and a day."""
    openssl = program("openssl", "openssl")
    chain, key = pathlib.Path(folder, "certificate.pem"), pathlib.Path(folder, "key.pem")
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            chain,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return chain, key
