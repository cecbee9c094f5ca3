"""G.711 from its definition, WAV files, and network traces."""

import array
import math
import wave


def _ulaw_dec(u):
    u = ~u & 0xFF
    t = (((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4)
    return (0x84 - t) if u & 0x80 else (t - 0x84)


def _alaw_dec(a):
    a ^= 0x55
    t = (a & 0x0F) << 4
    seg = (a & 0x70) >> 4
    t = t + 8 if seg == 0 else (t + 0x108) << (seg - 1)
    return t if a & 0x80 else -t


ULAW = [_ulaw_dec(i) for i in range(256)]
ALAW = [_alaw_dec(i) for i in range(256)]


def _enc_table(dec):
    """nearest-value encoder over s16, built from the decoder (ties go to the smaller magnitude)."""
    pts = sorted((v, c) for c, v in enumerate(dec))
    # mu-law has two zeros: prefer 0xFF (positive zero) as every encoder does
    vals, codes = [], []
    for v, c in pts:
        if vals and vals[-1] == v:
            if c > codes[-1]:
                codes[-1] = c
            continue
        vals.append(v)
        codes.append(c)
    out = bytearray(65536)
    j = 0
    for s in range(-32768, 32768):
        while (
            j + 1 < len(vals)
            and abs(vals[j + 1] - s) < abs(vals[j] - s)
            or (j + 1 < len(vals) and abs(vals[j + 1] - s) == abs(vals[j] - s) and abs(vals[j + 1]) < abs(vals[j]))
        ):
            j += 1
        out[s & 0xFFFF] = codes[j]
    return bytes(out)


class Codec:
    def __init__(self, name, pt, dec, silence):
        self.name, self.pt, self.dec, self.silence = name, pt, dec, silence
        self._enc = None
        self.pow = [float(v) * v for v in dec]

    def encode(self, samples):
        if self._enc is None:
            self._enc = _enc_table(self.dec)
        e = self._enc
        return bytes([e[s & 0xFFFF] for s in samples])

    def decode(self, data):
        d = self.dec
        return array.array("h", [d[b] for b in data])

    def level(self, data):
        """RMS in dBFS"""
        if not data:
            return -120.0
        p = sum(map(self.pow.__getitem__, data)) / len(data)
        return 10 * math.log10(p / (32768.0 * 32768.0)) if p > 0 else -120.0


CODECS = {"PCMU": Codec("PCMU", 0, ULAW, 0xFF), "PCMA": Codec("PCMA", 8, ALAW, 0xD5)}


def read_wav(path):
    with wave.open(path, "rb") as w:
        if w.getnchannels() != 1 or w.getsampwidth() != 2 or w.getframerate() != 8000:
            raise SystemExit("%s: need 8 kHz mono 16-bit (sox IN -r 8000 -c 1 -b 16 OUT)" % path)
        a = array.array("h")
        a.frombytes(w.readframes(w.getnframes()))
        return a


def write_wav(path, chans, rate=8000):
    n = max((len(c) for c in chans), default=0)
    chans = [c + array.array("h", bytes(2 * (n - len(c)))) for c in chans]
    if len(chans) == 1:
        out = chans[0]
    else:
        out = array.array("h", bytes(2 * n * len(chans)))
        for i, c in enumerate(chans):
            out[i :: len(chans)] = c
    with wave.open(path, "wb") as w:
        w.setnchannels(len(chans))
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(out.tobytes())


def read_trace(path):
    """-> (send[q], arrivals[q]) in seconds, arrivals = list of times (empty = lost)"""
    send, arr = {}, {}
    with open(path) as f:
        for line in f:
            p = line.strip().split(",")
            if len(p) < 2 or not p[0].strip().isdigit():
                continue
            q = int(p[0])
            send[q] = float(p[1]) / 1e3
            arr.setdefault(q, [])
            if len(p) > 2 and p[2].strip():
                arr[q].append(float(p[2]) / 1e3)
    n = max(send) + 1
    s = [send.get(q, q * 0.02) for q in range(n)]
    return s, [sorted(arr.get(q, [])) for q in range(n)]
