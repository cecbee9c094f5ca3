"""livekit's plugin for ElevenLabs against the lab: a context for each turn, all of them on one socket."""

import asyncio

import aiohttp
from livekit.plugins import elevenlabs

TURNS = ["Good morning.", "How can I help you today? I am listening.", "Goodbye."]


async def say(tts, text):
    stream = tts.stream()
    stream.push_text(text)
    stream.end_input()
    seconds = 0.0
    async for audio in stream:
        frame = audio.frame
        seconds += frame.samples_per_channel / frame.sample_rate
    await stream.aclose()
    return seconds


def three_turns_on_one_socket(lab):
    async def run():
        async with aiohttp.ClientSession() as http:
            tts = elevenlabs.TTS(
                api_key="k", voice_id="v", model="eleven_flash_v2_5", encoding="pcm_16000", base_url=lab.http + "/v1",
                http_session=http, inactivity_timeout=180, auto_mode=True)
            told = [await say(tts, text) for text in TURNS]
            await tts.aclose()
            return told

    seconds = asyncio.run(asyncio.wait_for(run(), 60))
    assert all(0.3 < length < 8 for length in seconds) and seconds[1] > 1.5 * seconds[0], seconds
    visit = lab.last("multi-stream-input")
    assert len(lab.seen("multi-stream-input")) == 1 and len(visit["contexts"]) == 3, visit
    said = "".join(text["text"] for text in visit["texts"])
    assert " ".join(said.split()) == " ".join(TURNS), said


CHECKS = [three_turns_on_one_socket]
