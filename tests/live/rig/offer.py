"""What an SDP says of its first live audio line."""


def sdp_parse(body):
    """-> dict for the first audio m-line with a non-zero port (else the first audio), or None"""
    text = body.decode("utf-8", "replace")
    ses_c, ses_dir, media, cur = None, "sendrecv", [], None
    for ln in text.replace("\r", "").split("\n"):
        if len(ln) < 2 or ln[1] != "=":
            continue
        k, v = ln[0], ln[2:].strip()
        if k == "m":
            p = v.split()
            cur = {
                "type": p[0],
                "port": int(p[1].split("/")[0]) if len(p) > 1 else 0,
                "proto": p[2] if len(p) > 2 else "",
                "pts": p[3:],
                "c": None,
                "map": {},
                "fmtp": {},
                "dir": None,
                "ptime": None,
                "attrs": [],
            }
            media.append(cur)
        elif k == "c":
            p = v.split()
            ip = p[2].split("/")[0] if len(p) > 2 else None
            if cur is None:
                ses_c = ip
            else:
                cur["c"] = ip
        elif k == "a":
            n, _, val = v.partition(":")
            if n in ("sendrecv", "sendonly", "recvonly", "inactive"):
                if cur is None:
                    ses_dir = n
                else:
                    cur["dir"] = n
            elif cur is not None:
                cur["attrs"].append(v)
                if n == "rtpmap":
                    a, _, b = val.partition(" ")
                    cur["map"][a] = b.strip()
                elif n == "fmtp":
                    a, _, b = val.partition(" ")
                    cur["fmtp"][a] = b.strip()
                elif n == "ptime":
                    try:
                        cur["ptime"] = int(val)
                    except ValueError:
                        pass
    aud = [m for m in media if m["type"] == "audio"]
    if not aud:
        return None
    a = next((m for m in aud if m["port"]), aud[0])
    a["ip"] = a["c"] or ses_c
    a["dir"] = a["dir"] or ses_dir
    a["n_media"] = len(media)
    a["media"] = media
    static = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000", "3": "GSM/8000", "13": "CN/8000", "18": "G729/8000"}
    for p in a["pts"]:
        a["map"].setdefault(p, static.get(p, "?"))
    return a
