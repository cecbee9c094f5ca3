"""ElevenLabs' own SDK against the lab: the socket, and the HTTP stream."""

from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

TEXT = ["Good morning, ", "this is the first sentence. ", "And here, after a comma, ", "comes the second one."]
SPOKEN = "".join(TEXT)


def realtime(lab, voice="v1", **options):
    client = ElevenLabs(api_key="k", base_url=lab.https)
    chunks = client.text_to_speech.convert_realtime(
        voice_id=voice, text=iter(TEXT), model_id="eleven_flash_v2_5", output_format="ulaw_8000",
        voice_settings=VoiceSettings(stability=0.5, similarity_boost=0.75), **options,
    )
    return b"".join(chunks)


def socket_speaks_the_whole_text(lab):
    audio = realtime(lab)
    visit = lab.last("stream-input")
    assert len(audio) == visit["audio_out"], "the SDK yields every byte that the lab sent"
    seconds = len(audio) / 8000
    assert 3 < seconds < 12, f"{seconds} s of speech for {len(SPOKEN)} characters"
    said = "".join(part["text"] for part in visit["texts"])
    assert said.split() == SPOKEN.split(), said
    assert visit["ending"] == "lab closed 1000" and visit["tls"]


def socket_reports_an_error(lab):
    lab.fault("path=stream-input,times=1,after=600,error=quota_exceeded")
    try:
        realtime(lab)
    except ApiError as error:
        assert error.status_code == 1008, error
    else:
        raise AssertionError("the SDK raised nothing")


def http_stream_speaks(lab):
    client = ElevenLabs(api_key="k", base_url=lab.http)
    for name, per_second in [("ulaw_8000", 8000), ("pcm_16000", 32000), ("pcm_22050", 44100), ("pcm_24000", 48000)]:
        audio = b"".join(client.text_to_speech.stream(
            voice_id="v1", text="Thank you for calling.", model_id="eleven_flash_v2_5", output_format=name))
        seconds = len(audio) / per_second
        assert 0.8 < seconds < 3, f"{seconds} s in {name}"
        assert len(audio) == lab.last("/stream")["audio_out"]


def http_stream_with_timestamps(lab):
    client = ElevenLabs(api_key="k", base_url=lab.http)
    text = "Thank you for calling. Goodbye."
    letters = []
    for part in client.text_to_speech.stream_with_timestamps(voice_id="v1", text=text, output_format="pcm_16000"):
        if part.alignment:
            letters += part.alignment.characters
            ends = part.alignment.character_end_times_seconds
            assert ends == sorted(ends)
    assert "".join(letters) == text, letters


def http_error_is_raised(lab):
    lab.fault("path=/stream,times=1,refuse=429,retry_after_s=1")
    client = ElevenLabs(api_key="k", base_url=lab.http)
    try:
        list(client.text_to_speech.stream(voice_id="v1", text="Again.", output_format="pcm_16000"))
    except ApiError as error:
        assert error.status_code == 429 and error.body["detail"]["status"] == "system_busy", error
        assert error.headers["retry-after"] == "1", error
    else:
        raise AssertionError("the SDK raised nothing")


CHECKS = [socket_speaks_the_whole_text, socket_reports_an_error, http_stream_speaks, http_stream_with_timestamps,
          http_error_is_raised]
