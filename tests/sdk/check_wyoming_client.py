"""offhook's own Wyoming client against servers made with the official library: flite as the voice, and ears that tell
how much they heard. `device/examples/wyoming.rs` is the client."""

import asyncio
import json
import pathlib
import subprocess
import tempfile
import threading
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop, wav_to_chunks
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.tts import Synthesize

TEXT = "Good morning. How can I help you today?"


class Server(AsyncEventHandler):
    """Both kinds of server in one; what came is kept in `seen`."""

    seen = []
    # A server that closes its connection behind each answer, as some do.
    closes = False

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.heard = 0

    async def handle_event(self, event: Event) -> bool:
        if Synthesize.is_type(event.type):
            text = Synthesize.from_event(event).text
            self.seen.append(("synthesize", text))
            try:
                await self.speak(text)
            except ConnectionError:
                # The client was interrupted: closing is how it says so.
                return False
            return not self.closes
        if Transcribe.is_type(event.type):
            self.seen.append(("transcribe", Transcribe.from_event(event).language))
        elif AudioStart.is_type(event.type):
            start = AudioStart.from_event(event)
            assert (start.rate, start.width, start.channels) == (16000, 2, 1), start
        elif AudioChunk.is_type(event.type):
            self.heard += AudioChunk.from_event(event).samples
        elif AudioStop.is_type(event.type):
            await self.write_event(Transcript(text=f"{self.heard / 16000:.2f}").event())
            return False
        return True

    async def speak(self, text):
        with tempfile.TemporaryDirectory() as scratch:
            path = str(pathlib.Path(scratch, "said.wav"))
            process = await asyncio.create_subprocess_exec("flite", "-voice", "slt", "-t", text, "-o", path)
            await process.wait()
            with wave.open(path, "rb") as sound:
                for part in wav_to_chunks(sound, 1024, start_event=True, stop_event=True):
                    await self.write_event(part.event())


class Running:
    """A server on a thread of its own, in a `with` block."""

    def __init__(self, **wanted):
        self.handler = type("Handler", (Server,), {"seen": [], **wanted})

    def __enter__(self):
        ready = threading.Event()

        async def serve():
            self.loop = asyncio.get_running_loop()
            self.task = asyncio.current_task()
            server = AsyncServer.from_uri("tcp://127.0.0.1:0")
            await server.start(self.handler)
            self.address = "tcp://{}:{}".format(*server._server.sockets[0].getsockname()[:2])
            ready.set()
            await asyncio.Event().wait()

        def body():
            try:
                asyncio.run(serve())
            except asyncio.CancelledError:
                pass

        self.thread = threading.Thread(target=body, daemon=True)
        self.thread.start()
        assert ready.wait(10), "the server does not start"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)


def held(lab, **wanted):
    client = pathlib.Path(lab.program).resolve().parent / "examples" / "wyoming"
    with Running(**wanted) as voice, Running() as ears:
        ran = subprocess.run([client, voice.address, ears.address, TEXT], capture_output=True, text=True, timeout=90)
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        said = [text for kind, text in voice.handler.seen if kind == "synthesize"]
        return told, said, ears.handler.seen


def check(told, said, heard):
    assert told["faults"] == [], told
    # Each sentence by itself, three times; of the second time as much as was asked for before the cut.
    assert said[:2] == said[-2:] == ["Good morning.", "How can I help you today?"], said
    assert 4 <= len(said) <= 6, said
    assert 1.5 < told["first_s"] < 6 and abs(told["first_s"] - told["third_s"]) < 1, told
    assert heard == [("transcribe", "en")], heard
    assert abs(float(told["heard"]) - told["third_s"]) < 0.5, told


def a_voice_and_ears_made_with_the_official_library(lab):
    check(*held(lab))


def a_voice_that_closes_behind_each_answer(lab):
    check(*held(lab, closes=True))


CHECKS = [a_voice_and_ears_made_with_the_official_library, a_voice_that_closes_behind_each_answer]
