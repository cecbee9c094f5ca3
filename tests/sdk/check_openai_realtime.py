"""OpenAI's own SDK against the lab: Realtime over a WebSocket."""

import asyncio
import base64

from openai import AsyncOpenAI

SESSION = {
    "type": "realtime",
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}},
        "output": {"format": {"type": "audio/pcmu"}},
    },
}


def session(lab, run):
    async def within():
        client = AsyncOpenAI(api_key="k", base_url=lab.http + "/v1")
        async with client.realtime.connect(model="lab") as connection:
            first = await connection.recv()
            assert first.type == "session.created", first
            await connection.session.update(session=SESSION)
            assert (await connection.recv()).type == "session.updated"
            return await asyncio.wait_for(run(connection), 30)

    return asyncio.run(within())


async def append(connection, audio):
    for at in range(0, len(audio), 800):
        await connection.input_audio_buffer.append(audio=base64.b64encode(audio[at:at + 800]).decode())


async def until(connection, kind):
    events = []
    while not events or events[-1].type != kind:
        events.append(await connection.recv())
    return events


def a_spoken_turn_is_answered(lab):
    lab.script(utterances=["two nights please"], replies=["Of course. Two nights it is."])

    async def run(connection):
        await append(connection, lab.speech("ulaw_8000") + b"\xff" * 8000)
        return await until(connection, "response.done")

    events = session(lab, run)
    kinds = [event.type for event in events]
    order = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
             "response.created", "response.output_audio.delta", "response.output_audio.done", "response.done"]
    places = [kinds.index(kind) for kind in order]
    assert places == sorted(places), kinds
    heard = [event.transcript for event in events if event.type.endswith("transcription.completed")]
    assert heard == ["two nights please"], heard
    audio = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
    assert 1 < len(audio) / 8000 < 5 and len(audio) == lab.last("realtime")["audio_out"]
    said = "".join(e.delta for e in events if e.type == "response.output_audio_transcript.delta")
    assert said == "Of course. Two nights it is.", said
    assert events[-1].response.status == "completed"


def speech_interrupts_and_truncates(lab):
    lab.script(replies=["This is a long answer. It goes on for quite a while. Nobody will hear the end of it."])
    lab.fault("path=realtime,times=1,pace=1")

    async def run(connection):
        await connection.response.create()
        events = await until(connection, "response.output_audio.delta")
        item = events[-1].item_id
        await append(connection, lab.speech("ulaw_8000"))
        events = await until(connection, "response.done")
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=10**6)
        too_far = (await until(connection, "error"))[-1]
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=100)
        await until(connection, "conversation.item.truncated")
        return events[-1].response, too_far.error

    response, error = session(lab, run)
    assert response.status == "cancelled" and response.status_details.reason == "turn_detected", response
    assert "already shorter" in error.message, error


CHECKS = [a_spoken_turn_is_answered, speech_interrupts_and_truncates]
