"""Deepgram's own SDK against the lab: recognition, and its voice."""

import threading
import time

from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment


def client(lab):
    environment = DeepgramClientEnvironment(base=lab.http, production=lab.ws, agent=lab.ws, agent_rest=lab.http)
    return DeepgramClient(api_key="k", environment=environment)


def messages(connection, feed):
    """All that comes while `feed` runs in another thread, until the connection is closed."""
    failed = []

    def run():
        try:
            feed()
        except Exception as error:  # The main thread tells.
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    came = list(connection)
    thread.join()
    assert not failed, failed
    return came


def speech_then_silence(lab, seconds=1.5):
    return lab.speech("ulaw_8000") + b"\xff" * int(8000 * seconds)


def stream(connection, audio, frame=160):
    for at in range(0, len(audio), frame):
        connection.send_media(audio[at:at + frame])


def listen_v1_gives_results(lab):
    lab.script(utterances=["I need a room for two nights."])
    audio = speech_then_silence(lab)
    with client(lab).listen.v1.connect(
        model="nova-3", encoding="mulaw", sample_rate=8000, interim_results=True, endpointing=300,
        utterance_end_ms=1000, vad_events=True,
    ) as connection:
        def feed():
            connection.send_keep_alive()
            stream(connection, audio)
            connection.send_finalize()
            connection.send_close_stream()

        came = messages(connection, feed)
    kinds = [message.type for message in came]
    results = [message for message in came if message.type == "Results"]
    assert kinds[0] == "SpeechStarted" and kinds[-1] == "Metadata" and "UtteranceEnd" in kinds, kinds
    final = [result for result in results if result.speech_final]
    assert len(final) == 1, kinds
    best = final[0].channel.alternatives[0]
    assert best.transcript == "I need a room for two nights."
    assert best.words[0].word == "i" and best.words[-1].punctuated_word == "nights."
    began, ended = best.words[0].start, best.words[-1].end
    assert 0 <= began < 0.3 and abs(ended - (len(audio) / 8000 - 1.5)) < 0.4, (began, ended)
    assert any(not result.is_final for result in results), "no interim results"
    assert any(result.from_finalize for result in results), "Finalize was not answered"
    assert abs(came[-1].duration - len(audio) / 8000) < 0.05


def listen_v1_without_a_script_claims_no_words(lab):
    with client(lab).listen.v1.connect(model="nova-3", encoding="mulaw", sample_rate=8000, endpointing=300) as connection:
        came = messages(connection, lambda: (stream(connection, speech_then_silence(lab)), connection.send_close_stream()))
    texts = [m.channel.alternatives[0].transcript for m in came if m.type == "Results" and m.is_final]
    assert any("seconds of speech]" in text for text in texts), texts


def speak_v1_speaks(lab):
    with client(lab).speak.v1.connect(model="aura-2-thalia-en", encoding="mulaw", sample_rate=8000) as connection:
        from deepgram.speak.v1.types import SpeakV1Text
        connection.send_text(SpeakV1Text(type="Speak", text="Thank you for calling. Goodbye."))
        connection.send_flush()
        audio, kinds = b"", []
        for message in connection:
            if isinstance(message, bytes):
                audio += message
                continue
            kinds.append(message.type)
            if message.type == "Flushed":
                connection.send_clear()
            if message.type == "Cleared":
                connection.send_close()
    assert kinds == ["Metadata", "Flushed", "Cleared"], kinds
    assert len(audio) == lab.last("/v1/speak")["audio_out"] and 1 < len(audio) / 8000 < 5


def generate(lab, text="Thank you for calling. Goodbye.", **query):
    """One text by a plain request; tried once, so that what the lab refuses is seen."""
    asked = {"model": "aura-2-thalia-en", "encoding": "mulaw", "sample_rate": 8000, "container": "none"} | query
    return b"".join(client(lab).speak.v1.audio.generate(text=text, request_options={"max_retries": 0}, **asked))


def speak_v1_speaks_over_http(lab):
    for encoding, rate, width in [("mulaw", 8000, 1), ("alaw", 8000, 1), ("linear16", 16000, 2), ("linear16", 24000, 2)]:
        audio = generate(lab, encoding=encoding, sample_rate=rate)
        visit = lab.last("/v1/speak")
        assert len(audio) == visit["audio_out"] and visit["ending"] == "answered 200", visit
        assert 1 < len(audio) / rate / width < 5, (encoding, rate, len(audio))
        assert [part["text"] for part in visit["texts"]] == ["Thank you for calling. Goodbye."]


def speak_v1_over_http_fails_as_the_switches_say(lab):
    for query, status in [({}, 429), ({"container": "wav"}, 400), ({"encoding": "mp3"}, 400)]:
        if status == 429:
            lab.fault("path=/v1/speak,way=http,times=1,refuse=429,retry_after_s=1")
        try:
            generate(lab, **query)
        except ApiError as error:
            assert error.status_code == status, error
            assert status != 429 or error.headers["retry-after"] == "1", error
        else:
            raise AssertionError(f"{query}: the SDK raised nothing")
    lab.fault("path=/v1/speak,way=http,times=1,kill,after=400,pace=2")
    try:
        generate(lab)
    except Exception as error:
        assert "incomplete" in str(error).lower() or "closed" in str(error).lower(), error
    else:
        raise AssertionError("a broken answer was taken for a whole one")
    assert lab.last("/v1/speak")["ending"] == "the lab cut the connection"


def wrong_key_is_refused(lab):
    lab.fault("path=/v1/listen,times=1,refuse=401")
    try:
        with client(lab).listen.v1.connect(model="nova-3", encoding="mulaw", sample_rate=8000):
            raise AssertionError("the handshake went through")
    except Exception as error:
        assert "401" in str(error), error


CHECKS = [listen_v1_gives_results, listen_v1_without_a_script_claims_no_words, speak_v1_speaks,
          speak_v1_speaks_over_http, speak_v1_over_http_fails_as_the_switches_say, wrong_key_is_refused]
