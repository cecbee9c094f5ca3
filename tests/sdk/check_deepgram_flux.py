"""Deepgram's own SDK against the lab: Flux, the recogniser that takes turns."""

import array
import threading

from check_deepgram import client, stream


def turns(lab, audio, **options):
    with client(lab).listen.v2.connect(
        model="flux-general-en", encoding="linear16", sample_rate=16000, **options
    ) as connection:
        def feed():
            # 80 ms, as the service advises.
            stream(connection, audio, 2560)
            connection.send_close_stream()

        thread = threading.Thread(target=feed)
        thread.start()
        came = list(connection)
        thread.join()
    assert came[0].type == "Connected", came[0]
    assert [message.sequence_id for message in came] == list(range(len(came)))
    return [message for message in came if message.type == "TurnInfo"]


def a_turn_begins_and_ends(lab):
    lab.script(utterances=["I need a room for two nights"])
    infos = turns(lab, lab.speech("pcm_16000") + bytes(48000))
    events = [info.event for info in infos]
    assert events[0] == "StartOfTurn" and events[-1] == "EndOfTurn" and "Update" in events, events
    assert infos[-1].transcript == "I need a room for two nights"
    assert [word.word for word in infos[-1].words] == infos[-1].transcript.split()


def bare(speech):
    """Without the silence before and after."""
    samples = array.array("h", speech)
    loud = [at for at, sample in enumerate(samples) if abs(sample) > 600]
    return samples[loud[0]:loud[-1]].tobytes()


def an_early_end_is_taken_back(lab):
    lab.script(utterances=["one two", "three"])
    speech = bare(lab.speech("pcm_16000", "Good morning to you"))
    pause = bytes(32 * 450)
    infos = turns(lab, speech + pause + speech + bytes(64000), eager_eot_threshold=0.5, eot_threshold=0.9)
    events = [info.event for info in infos if info.event != "Update"]
    assert events == ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"], events


CHECKS = [a_turn_begins_and_ends, an_early_end_is_taken_back]
