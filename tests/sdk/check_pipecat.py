"""pipecat's service for ElevenLabs against the lab: two contexts on one socket."""

import asyncio

from loguru import logger
from pipecat.frames.frames import TTSAudioRawFrame, TTSSpeakFrame
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.tests.utils import SleepFrame, run_test

# It tells every step otherwise.
logger.remove()

TEXTS = ["Good morning to you.", "This is the second thing that is said."]


def two_contexts_on_one_socket(lab):
    async def run():
        service = ElevenLabsTTSService(
            api_key="k", url=lab.ws, sample_rate=16000,
            settings=ElevenLabsTTSService.Settings(voice="v", model="eleven_flash_v2_5", stability=0.5))
        frames = [frame for text in TEXTS for frame in (TTSSpeakFrame(text), SleepFrame(3))]
        return await run_test(service, frames_to_send=frames, expected_down_frames=None)

    down, _ = asyncio.run(asyncio.wait_for(run(), 90))
    audio = sum(len(frame.audio) for frame in down if isinstance(frame, TTSAudioRawFrame))
    visit = lab.last("multi-stream-input")
    assert len(lab.seen("multi-stream-input")) == 1 and len(visit["contexts"]) == 2, visit
    said = " ".join(text["text"] for text in visit["texts"])
    assert " ".join(said.split()) == " ".join(TEXTS), said
    assert audio > 32000 and abs(audio - visit["audio_out"]) < 32000, (audio, visit)


CHECKS = [two_contexts_on_one_socket]
