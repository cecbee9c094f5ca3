"""OpenAI's own SDK against the lab: chat completions."""

import openai
from openai import OpenAI

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie geht's?"}]
# Letters of two, three and four bytes, which small writes cut in two.
REPLY = "Grüße aus Köln. Das kostet 3 €. Alles gut 🙂."


def client(lab, **options):
    return OpenAI(api_key="k", base_url=lab.http + "/v1", **options)


def chat(lab, **options):
    return client(lab, **options).chat.completions.create(
        model="lab", messages=SAID, stream=True, stream_options={"include_usage": True})


def stream_gives_the_reply_and_the_usage(lab):
    lab.script(replies=[REPLY])
    chunks = list(chat(lab))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == REPLY, text
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] == "stop" and not any(reasons[:-1]), reasons
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 10, chunks[-1]
    assert lab.last("/chat/completions")["texts"][0]["text"] == "Wie geht's?"


def letters_cut_in_two_arrive_whole(lab):
    lab.script(replies=[REPLY])
    lab.fault("path=/chat,times=1,split=7,reasoning")
    chunks = list(chat(lab))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == REPLY


def failure_in_the_middle_is_raised(lab):
    lab.script(replies=[REPLY])
    lab.fault("path=/chat,times=1,after=3,error=server_error")
    text = ""
    try:
        for chunk in chat(lab):
            text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        assert "told to fail" in str(error) and text == "Grüße aus Köln.", text
    else:
        raise AssertionError("nothing was raised")


def busy_is_tried_again(lab):
    lab.fault("path=/chat,times=1,refuse=429,retry_after_s=1")
    answer = client(lab, max_retries=2).chat.completions.create(model="lab", messages=SAID)
    assert "does not think" in answer.choices[0].message.content
    endings = [visit["ending"] for visit in lab.seen("/chat")][-2:]
    assert endings == ["refused 429", "answered 200"], endings


def cancelling_is_noticed(lab):
    lab.script(replies=["one two three four five six seven eight nine ten"])
    lab.fault("path=/chat,times=1,token_ms=100")
    stream = chat(lab)
    for count, _ in enumerate(stream):
        if count == 3:
            break
    stream.close()
    lab.wait(lambda: lab.last("/chat")["ending"] == "client cancelled")


def models_are_listed(lab):
    assert [model.id for model in client(lab).models.list()] == ["lab"]


CHECKS = [stream_gives_the_reply_and_the_usage, letters_cut_in_two_arrive_whole, failure_in_the_middle_is_raised,
          busy_is_tried_again, cancelling_is_noticed, models_are_listed]
