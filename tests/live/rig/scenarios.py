"""sipp's scenarios, written by what happens in them. `text(NAME)` is the XML; sipp wants a file.

Callers begin with `uac_`, as sipp's own do.
"""

RTPMAPS = {
    "0": "a=rtpmap:0 PCMU/8000\n",
    "8": "a=rtpmap:8 PCMA/8000\n",
    "9": "a=rtpmap:9 G722/8000\n",
    "18": "a=rtpmap:18 G729/8000\n",
    "101": "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n",
    "111": "a=rtpmap:111 opus/48000/2\n",
}


def sdp(formats="0 8 101", direction="sendrecv", version=1, address="[media_ip]"):
    return (
        f"v=0\no=sipp 53655765 {version} IN IP[local_ip_type] [local_ip]\ns=-\n"
        f"c=IN IP[media_ip_type] {address}\nt=0 0\nm=audio [media_port] RTP/AVP {formats}\n"
        + "".join(RTPMAPS[f] for f in formats.split())
        + f"a=ptime:20\na={direction}"
    )


def request(
    method,
    cseq=1,
    body=None,
    dialog=False,
    extra="",
    branch="[branch]",
    to="",
    kind="application/sdp",
    length="[len]",
    forwards=70,
    resend=True,
):
    """One request; `dialog` puts it inside the call that stands. `to` follows the To header's address."""
    target = "[next_url]" if dialog else "sip:[service]@[remote_ip]:[remote_port]"
    head = (
        f"{method} {target} SIP/2.0\n"
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n"
        f"Max-Forwards: {forwards}\n"
        'From: "sipp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]sipp[call_number]\n'
        f"To: <sip:[service]@[remote_ip]:[remote_port]>{'[peer_tag_param]' if dialog else to}\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\n"
        "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n"
        f"{'[routes]' + chr(10) if dialog else ''}{extra}"
    )
    again = ' retrans="500"' if resend and method != "ACK" else ""
    return _send(head, body, kind, length, again)


def response(
    code, reason, body=None, extra="", tag=True, kind="application/sdp", via="[last_Via:]", cseq="[last_CSeq:]"
):
    head = (
        f"SIP/2.0 {code} {reason}\n{via}\n[last_Record-Route:]\n[last_From:]\n"
        f"[last_To:]{';tag=[pid]uas[call_number]' if tag else ''}\n[last_Call-ID:]\n{cseq}\n"
        f"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n{extra}"
    )
    again = ' retrans="500"' if code == 200 and body else ""
    return _send(head, body, kind, "[len]", again)


def _send(head, body, kind, length, again):
    text = head + (f"Content-Type: {kind}\n" if body is not None else "") + f"Content-Length: {length}\n\n"
    return f"<send{again}><![CDATA[\n{text}{body + chr(10) if body is not None else ''}]]></send>\n"


def expect(code, optional=False, attributes="", actions=""):
    maybe = ' optional="true"' if optional else ""
    inside = f"<action>{actions}</action>" if actions else ""
    return f'<recv response="{code}"{maybe}{attributes}>{inside}</recv>\n'


def expect_one(codes, label, attributes="", actions=""):
    """Any of `codes`; sipp knows no pattern for them."""
    maybe = "".join(expect(code, True, f'{attributes} next="{label}"', actions) for code in codes[:-1])
    return maybe + expect(codes[-1], attributes=attributes, actions=actions) + f'<label id="{label}"/>\n'


def await_request(method, optional=False, attributes="", actions=""):
    maybe = ' optional="true"' if optional else ""
    inside = f"<action>{actions}</action>" if actions else ""
    return f'<recv request="{method}"{maybe}{attributes}>{inside}</recv>\n'


def must_match(pattern, where="body", header="", variable="seen"):
    header = f' header="{header}"' if header else ""
    return f'<ereg regexp="{pattern}" search_in="{where}"{header} check_it="true" assign_to="{variable}"/>'


def keep(pattern, header, variable):
    return f'<ereg regexp="{pattern}" search_in="hdr" header="{header}" assign_to="{variable}"/>'


def used(*variables):
    """sipp refuses a variable that is only written."""
    return f'<Reference variables="{",".join(variables)}"/>\n'


def pause(ms):
    return f'<pause milliseconds="{ms}"/>\n'


# The INVITE's branch, for what has to repeat it: CANCEL, and the ACK of a refusal.
FIRST = "z9hG4bK-[pid]-[call_number]-first"
PROVISIONAL = expect(100, True) + expect(180, True, ' rrs="true"') + expect(183, True, ' rrs="true"')
ANSWER = expect(200, attributes=' rrs="true"')
TIMER = "Supported: timer\nSession-Expires: 90;refresher=uac\nMin-SE: 90\n"


def ack(cseq=1, body=None):
    return request("ACK", cseq, body, dialog=True)


def ack_of_refusal(cseq=1):
    return request("ACK", cseq, branch=FIRST, to="[peer_tag_param]")


def bye(cseq=2):
    return request("BYE", cseq, dialog=True) + expect(200)


def up(formats="0 8 101", extra=""):
    """The call stands after this."""
    return request("INVITE", 1, sdp(formats), extra=extra) + PROVISIONAL + ANSWER + ack()


def refused(code, body=None, extra="", kind="application/sdp"):
    return (
        request("INVITE", 1, body or sdp(), branch=FIRST, extra=extra, kind=kind)
        + expect(100, True)
        + expect(180, True)
        + expect(code)
        + ack_of_refusal()
    )


def uac_basic():
    return up() + pause(1000) + bye()


def uac_digest():
    """Challenged, it answers the first challenge."""
    return (
        request("INVITE", 1, sdp(), branch=FIRST)
        + expect(100, True)
        + expect(401, attributes=' auth="true"')
        + ack_of_refusal()
        + request("INVITE", 2, sdp(), extra="[authentication]\n")
        + PROVISIONAL
        + ANSWER
        + ack(2)
        + pause(500)
        + bye(3)
    )


def uac_delayed():
    """No SDP in the INVITE: the 200 offers, the ACK answers."""
    offer = must_match("m=audio")
    return (
        request("INVITE", 1)
        + PROVISIONAL
        + expect(200, attributes=' rrs="true"', actions=offer)
        + used("seen")
        + ack(1, sdp("0"))
        + pause(1000)
        + bye()
    )


def reliable(code, extra):
    keeps = keep("[0-9]+", "RSeq:", "rseq") + must_match("100rel", "hdr", "Require:")
    return (
        request("INVITE", 1, sdp(), extra=extra)
        + expect(100, True)
        + expect(code, attributes=' rrs="true"', actions=keeps)
        + used("seen")
        + request("PRACK", 2, dialog=True, extra="RAck: [$rseq] 1 INVITE\n")
        + expect(200)
        + ANSWER.replace("recv ", 'recv timeout="8000" ')
        + ack()
        + pause(300)
        + bye(3)
    )


def uac_reliable_early():
    """The 183 that carries SDP is reliable when we can do that, and asks for a PRACK (RFC 3262)."""
    return reliable(183, "Supported: 100rel\n")


def uac_reliable_required():
    """Required, a 180 is reliable too."""
    return reliable(180, "Require: 100rel\n")


def uac_early():
    """A 183 with SDP while it rings."""
    return (
        request("INVITE", 1, sdp())
        + expect(100, True)
        + expect(183, attributes=' rrs="true"', actions=must_match("m=audio"))
        + used("seen")
        + ANSWER.replace("recv ", 'recv timeout="8000" ')
        + ack()
        + pause(300)
        + bye()
    )


def uac_hold():
    """Hold is answered with recvonly or inactive, the resume with sendrecv."""
    back = '<ereg regexp="a=(recvonly|inactive|sendonly)" search_in="body" check_it_inverse="true" assign_to="back"/>'
    return (
        up()
        + pause(500)
        + request("INVITE", 2, sdp(direction="sendonly", version=2), dialog=True)
        + expect(100, True)
        + expect(200, attributes=' rrs="true"', actions=must_match("a=(recvonly|inactive)"))
        + ack(2)
        + pause(700)
        + request("INVITE", 3, sdp(version=3), dialog=True)
        + expect(100, True)
        + expect(200, attributes=' rrs="true"', actions=back)
        + used("seen", "back")
        + ack(3)
        + pause(500)
        + bye(4)
    )


def uac_hold_by_address():
    """The old way to hold: c=0.0.0.0."""
    return (
        up()
        + pause(300)
        + request("INVITE", 2, sdp(version=2, address="0.0.0.0"), dialog=True)
        + expect(100, True)
        + ANSWER
        + ack(2)
        + pause(500)
        + bye(3)
    )


def uac_cancel():
    """CANCEL while it rings: 200 to it, 487 to the INVITE."""
    return (
        request("INVITE", 1, sdp(), branch=FIRST)
        + expect(100, True)
        + expect(180)
        + pause(300)
        + request("CANCEL", 1, branch=FIRST)
        + expect(200)
        + expect(487)
        + ack_of_refusal()
    )


def options():
    return request("OPTIONS", 1, extra="Accept: application/sdp\n") + expect(200)


def options_last_hop():
    """Max-Forwards: 0 binds proxies; the last element answers (RFC 3261 16.3)."""
    return request("OPTIONS", 1, forwards=0) + expect(200)


def options_in_call():
    return up() + pause(200) + request("OPTIONS", 2, dialog=True) + expect(200) + bye(3)


def uac_info_key():
    """A key as SIP INFO."""
    key = request("INFO", 2, "Signal=5\nDuration=160", dialog=True, kind="application/dtmf-relay")
    return up() + pause(300) + key + expect(200) + bye(3)


def uac_hears_info_key():
    """A caller without telephone events is sent a key as SIP INFO."""
    key = must_match("Signal=5", "body") + must_match("dtmf-relay", "hdr", "Content-Type:", "kind")
    return (
        up("0")
        + await_request("INFO", actions=key)
        + used("seen", "kind")
        + response(200, "OK", tag=False)
        + bye(2)
    )


def uac_steered():
    """A caller that is put on hold, taken up again, handed on, which it refuses, and hung up."""

    def change(wanted, answered):
        said = must_match(f"a={wanted}")
        return (
            await_request("INVITE", actions=said)
            + response(200, "OK", sdp("0", answered), tag=False)
            + await_request("ACK")
        )

    return (
        up("0")
        + change("sendonly", "recvonly")
        + change("sendrecv", "sendrecv")
        + await_request("REFER", actions=must_match("sip:human@127.0.0.1", "hdr", "Refer-To:"))
        + used("seen")
        + response(603, "Decline", tag=False)
        + await_request("BYE")
        + response(200, "OK", tag=False)
    )


def uac_timer_reinvite():
    """The caller refreshes the session with a re-INVITE; both answers carry Session-Expires."""
    said = must_match("[0-9]+", "hdr", "Session-Expires:")
    return (
        request("INVITE", 1, sdp(), extra=TIMER)
        + PROVISIONAL
        + expect(200, attributes=' rrs="true"', actions=said)
        + ack()
        + pause(700)
        + request("INVITE", 2, sdp(), dialog=True, extra=TIMER)
        + expect(100, True)
        + expect(200, attributes=' rrs="true"', actions=said)
        + used("seen")
        + ack(2)
        + pause(300)
        + bye(3)
    )


def uac_timer_update():
    """The same with an UPDATE that carries no SDP."""
    return (
        up(extra=TIMER)
        + pause(500)
        + request("UPDATE", 2, dialog=True, extra=TIMER)
        + expect(200, actions=must_match("[0-9]+", "hdr", "Session-Expires:"))
        + used("seen")
        + bye(3)
    )


def uac_timer_ours():
    """The called side is to refresh, which it does before half of 90 s and a little are over. Takes 45 s."""
    extra = "Supported: timer\nSession-Expires: 90;refresher=uas\nMin-SE: 90\n"
    refresh = must_match("refresher=uas", "hdr", "Session-Expires:")
    again = keep(".*", "Session-Expires:", "se")
    return (
        request("INVITE", 1, sdp(), extra=extra)
        + PROVISIONAL
        + expect(200, attributes=' rrs="true"', actions=refresh)
        + used("seen")
        + ack()
        + await_request("UPDATE", True, ' timeout="60000" next="2"', again)
        + await_request("INVITE", False, ' timeout="60000"', again)
        + response(200, "OK", sdp(version=2), extra="Session-Expires:[$se]\nRequire: timer\n", tag=False)
        + await_request("ACK")
        + '<nop next="3"/>\n<label id="2"/>\n'
        + response(200, "OK", extra="Session-Expires:[$se]\nRequire: timer\n", tag=False)
        + '<label id="3"/>\n'
        + pause(300)
        + bye(3)
    )


def uac_timer_expires():
    """The caller promises to refresh every 90 s and does not: the called side ends the call (RFC 4028 10)."""
    return up(extra=TIMER) + await_request("BYE", attributes=' timeout="95000"') + response(200, "OK", tag=False)


def uac_timer_too_short():
    """422 says how short it may be."""
    extra = "Supported: timer\nSession-Expires: 30\n"
    return (
        request("INVITE", 1, sdp(), branch=FIRST, extra=extra)
        + expect(100, True)
        + expect(422, actions=must_match("[0-9]+", "hdr", "Min-SE:"))
        + used("seen")
        + ack_of_refusal()
    )


def uac_transferred():
    """The called side answers and refers us on; NOTIFY tells it how that went, and it hangs up."""
    notify = (
        '<send retrans="500"><![CDATA[\nNOTIFY [next_url] SIP/2.0\n'
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70\n"
        'From: "sipp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]sipp[call_number]\n'
        "To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\nCall-ID: [call_id]\nCSeq: {cseq} NOTIFY\n"
        "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n[routes]\nEvent: refer\n"
        "Subscription-State: {state}\nContent-Type: message/sipfrag;version=2.0\nContent-Length: [len]\n\n"
        "SIP/2.0 {line}\n]]></send>\n"
    )
    refer = must_match(".+", "hdr", "Refer-To:")
    return (
        up()
        + await_request("REFER", attributes=' timeout="10000"', actions=refer)
        + used("seen")
        + response(202, "Accepted", tag=False)
        + notify.format(cseq=2, state="active;expires=60", line="100 Trying")
        + expect(200)
        + pause(300)
        + notify.format(cseq=3, state="terminated;reason=noresource", line="200 OK")
        + expect(200)
        + await_request("BYE", attributes=' timeout="10000"')
        + response(200, "OK", tag=False)
    )


def uac_referred_from_outside():
    """A REFER from the caller is refused: the appliance dials nobody for strangers."""
    refer = request("REFER", 2, dialog=True, extra="Refer-To: <sip:nobody@127.0.0.1:9>\n")
    return up() + pause(200) + refer + expect_one((403, 405, 501, 603), 1) + bye(3)


def uac_extension():
    return refused(420, extra="Require: nothingSupportsThis\n")


def uac_no_codec():
    return refused(488, sdp("18"))


def uac_no_route():
    return refused(404)


def uac_not_sdp():
    return refused(415, "hello", kind="text/plain")


def uac_g722_first():
    return up("9 0 8 101") + pause(300) + bye()


def uac_opus_first():
    return up("111 9 0 8 101") + pause(300) + bye()


def uac_three_media():
    """Each m-line of the offer is answered with one."""
    offer = sdp() + "\nm=video 40000 RTP/AVP 96\na=rtpmap:96 VP8/90000\nm=application 40010 UDP/BFCP *"
    lines = must_match("m=audio.*m=video 0 .*m=application 0 ")
    return (
        request("INVITE", 1, offer)
        + PROVISIONAL
        + expect(200, attributes=' rrs="true"', actions=lines)
        + used("seen")
        + ack()
        + pause(200)
        + bye()
    )


def uac_stray_bye():
    return request("BYE", 7, to=";tag=nobody") + expect(481)


def uac_unknown_method():
    return request("FOO", 1) + expect_one((405, 501), 1)


def uac_false_length():
    """A datagram that promises more than it holds."""
    return request("INVITE", 1, sdp(), length="9999", resend=False, branch=FIRST) + expect(400)


def uac_load():
    """For many at once: rings, talks for a while, hangs up. With -rtp_echo or without media."""
    return up("0") + "<pause/>\n" + bye()


def text(name):
    """The scenario as sipp wants it."""
    body = globals()[name]()
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        f'<scenario name="{name}">\n{body}</scenario>\n'
    )
