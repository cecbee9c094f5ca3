"""What a tap of loopback (rig/tap.py) shows of conversations."""

import collections

# µ-law magnitudes. From here on a packet of ours belongs to a turn: between turns ours are digital silence. A message of the
# voice holds a sound (-46 dB, as the joiner of sentences has it: a voice's own silence before it is left out); a packet of
# the caller's is speech, some -32 dB.
SOUND, VOICED, SPEECH = 1, 20, 48
# Silence that parts two turns; rests within one are shorter.
TURN_GAP_S = 0.9
# Silence by which somebody who was interrupted has stopped.
STOPPED_S = 0.25
# A rest in samples: below this, for longer than this.
QUIET, REST_FRAMES = 64, 8 * 250

Tap = collections.namedtuple("Tap", "rtp voice")


def read(path):
    """rtp: (from port, to port) -> [(t, loudness)]; voice: port of the speech thread -> the same of messages with speech."""
    tap = Tap(collections.defaultdict(list), collections.defaultdict(list))
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words[0] == "rtp" and len(words) == 6:
                tap.rtp[int(words[2]), int(words[3])].append((float(words[1]), int(words[5])))
            elif words[0] == "voice" and len(words) == 4:
                tap.voice[int(words[2])].append((float(words[1]), int(words[3])))
    return tap


def runs(packets, least, gap_s):
    """(first, last) of stretches of packets that are at least so loud, parted by `gap_s` without one."""
    found = []
    for at, loud in packets:
        if loud < least:
            continue
        if found and at - found[-1][1] < gap_s:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found


class Times:
    """Figures of calls, in ms."""

    def __init__(self):
        self.first_byte_ms, self.first_packet_ms, self.barge_in_ms, self.answer_ms, self.gaps_ms = [], [], [], [], []
        self.unclear = 0

    def add(self, tap, ports):
        """Calls whose callers have these ports; calls and sockets of the voice belong together as they began."""
        by_start = sorted(ports, key=lambda port: min(p[0][0] for (_, to), p in tap.rtp.items() if to == port))
        sockets = sorted(tap.voice.values(), key=lambda messages: messages[0][0])
        for port, voice in zip(by_start, sockets):
            ours = next(packets for (_, to), packets in tap.rtp.items() if to == port)
            theirs = next(packets for (source, _), packets in tap.rtp.items() if source == port)
            self._call(ours, theirs, voice)

    def _call(self, ours, theirs, voice):
        spoken = runs(theirs, SPEECH, TURN_GAP_S)
        sounds = runs(ours, SOUND, STOPPED_S)
        # The greeting, whose sound may be there before the call has its first packet; and the answer to each thing that the
        # caller said.
        for since in [None, *(last for _, last in spoken)]:
            messages = [(at, loud) for at, loud in voice if since is None or at > since]
            byte = next((at for at, _ in messages), None)
            sound = next((at for at, loud in messages if loud >= VOICED), None)
            packet = next((at for at, loud in ours if loud >= SOUND and sound and at > sound), None)
            if packet is None:
                continue
            if any(first < sound < last for first, last in sounds):
                self.unclear += 1
                continue
            self.first_byte_ms.append(1e3 * (packet - byte))
            self.first_packet_ms.append(1e3 * (packet - sound))
            if since is not None:
                self.answer_ms.append(1e3 * (packet - since))
        for first, _ in spoken:
            last = next((last for begun, last in sounds if begun < first < last), None)
            if last is not None:
                self.barge_in_ms.append(1e3 * (last - first))


def rests_ms(samples):
    """The rests between sentences in a recording: silences too long for a comma and too short to part two turns."""
    rests, quiet, heard = [], 0, False
    for sample in samples:
        if abs(sample) <= QUIET:
            quiet += 1
            continue
        if heard and REST_FRAMES < quiet < 8 * 1000 * TURN_GAP_S:
            rests.append(quiet / 8)
        quiet, heard = 0, True
    return rests
