"""The official Wyoming library against the lab."""

import asyncio

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

TEXT = "Good morning. This is the second sentence."


def session(lab, run):
    async def within():
        async with AsyncClient.from_uri(lab.tcp) as client:
            return await asyncio.wait_for(run(client), 30)

    return asyncio.run(within())


async def until(client, is_last):
    events = []
    while not events or not is_last(events[-1].type):
        event = await client.read_event()
        assert event is not None, "the lab closed the connection"
        events.append(event)
    return events


def describe_is_understood(lab):
    async def run(client):
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        assert info.tts[0].voices[0].languages == ["en"] and info.tts[0].supports_synthesize_streaming
        assert info.asr[0].models[0].installed
        await client.write_event(Ping(text="a").event())
        assert Pong.from_event(await client.read_event()).text == "a"

    session(lab, run)


def check_sound(events):
    start = AudioStart.from_event(events[0])
    chunks = [AudioChunk.from_event(event) for event in events if AudioChunk.is_type(event.type)]
    assert (start.rate, start.width, start.channels) == (22050, 2, 1)
    assert all(chunk.rate == start.rate for chunk in chunks)
    return sum(len(chunk.audio) for chunk in chunks) / 44100


def synthesize_speaks(lab):
    async def run(client):
        await client.write_event(Synthesize(text=TEXT).event())
        return await until(client, AudioStop.is_type)

    seconds = check_sound(session(lab, run))
    assert 1.5 < seconds < 6, seconds


def streaming_synthesize_speaks_each_sentence(lab):
    async def run(client):
        await client.write_event(SynthesizeStart().event())
        for part in ("Good mor", "ning. This is the ", "second sentence."):
            await client.write_event(SynthesizeChunk(text=part).event())
        await client.write_event(Synthesize(text=TEXT).event())
        await client.write_event(SynthesizeStop().event())
        return await until(client, SynthesizeStopped.is_type)

    events = session(lab, run)
    kinds = [event.type for event in events]
    assert kinds.count("audio-start") == kinds.count("audio-stop") == 2, kinds
    assert 1.5 < check_sound(events) < 6


def transcribe_gives_the_script_or_what_it_knows(lab):
    async def run(client):
        audio = lab.speech("pcm_16000")
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(rate=16000, width=2, channels=1).event())
        for at in range(0, len(audio), 2048):
            await client.write_event(AudioChunk(rate=16000, width=2, channels=1, audio=audio[at:at + 2048]).event())
        await client.write_event(AudioStop().event())
        return Transcript.from_event((await until(client, Transcript.is_type))[-1]).text

    lab.script(utterances=["a room for two nights"])
    assert session(lab, run) == "a room for two nights"
    assert "seconds of speech]" in session(lab, run)


def failure_is_an_error_event(lab):
    lab.fault("path=wyoming,times=1,after=200,error=broken")

    async def run(client):
        await client.write_event(Synthesize(text=TEXT).event())
        return Error.from_event((await until(client, Error.is_type))[-1]).code

    assert session(lab, run) == "broken"


CHECKS = [describe_is_understood, synthesize_speaks, streaming_synthesize_speaks_each_sentence,
          transcribe_gives_the_script_or_what_it_knows, failure_is_an_error_event]
