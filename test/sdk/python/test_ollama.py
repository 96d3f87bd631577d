"""The official ollama SDK, unmodified, against a running Plenum."""

import json

import ollama
import pytest

from conftest import GREETING, KEY, PNG, URL, digest

HELLO = [{"role": "user", "content": "Say hello."}]


def get_weather(city: str, unit: str) -> str:
    """The weather in a city.

    Args:
        city: The city.
        unit: The unit.
    """


@pytest.fixture(scope="session")
def client():
    return ollama.Client(host=URL, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)


def test_text(client, side):
    r = client.chat(model=side.model("text"), messages=HELLO, options={"temperature": 0})
    assert r.message.content == GREETING and r.message.role == "assistant"
    assert r.done and r.done_reason == "stop" and r.created_at and r.model
    assert (r.prompt_eval_count, r.eval_count) == (11, 7)


def test_text_streamed(client, side):
    chunks = list(client.chat(model=side.model("text"), messages=HELLO, stream=True))
    assert "".join(c.message.content or "" for c in chunks) == GREETING and len(chunks) > 5
    assert chunks[-1].done and chunks[-1].eval_count == 7 and not chunks[0].done


def test_async_client(side):
    import asyncio

    async def go():
        c = ollama.AsyncClient(host=URL, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
        return "".join([x.message.content or "" async for x in await c.chat(model=side.model("text"), messages=HELLO, stream=True)])

    assert asyncio.run(go()) == GREETING


def test_generate(client, side):
    r = client.generate(model=side.model("text"), prompt="Say hello.", system="Be terse.")
    assert r.response == GREETING and r.done_reason == "stop" and r.eval_count == 7
    assert side.seen("text")["system"] == ["Be terse."]
    chunks = list(client.generate(model=side.model("text"), prompt="Say hello.", stream=True))
    assert "".join(c.response for c in chunks) == GREETING and chunks[-1].done


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, side, stream):
    messages = [{"role": "user", "content": "The weather in both cities?"}]
    model = side.model("calls")
    got = client.chat(model=model, messages=messages, tools=[get_weather], stream=stream)
    chunks = list(got) if stream else [got]
    calls = [c for x in chunks for c in x.message.tool_calls or []]
    assert [c.function.name for c in calls] == ["get_weather"] * 2
    assert [dict(c.function.arguments) for c in calls] == [{"city": "Paris", "unit": "celsius"}, {"city": "Lyon", "unit": "celsius"}]
    messages.append({"role": "assistant", "content": "", "tool_calls": calls})
    messages += [{"role": "tool", "content": t, "tool_name": "get_weather"} for t in ("11 degrees", "12 degrees")]
    final = client.chat(model=model, messages=messages, tools=[get_weather])
    assert "degrees" in final.message.content and not final.message.tool_calls


def test_structured_output(client, side):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["name", "born", "tags"],
        "additionalProperties": False,
    }
    r = client.chat(model=side.model("json"), messages=HELLO, format=schema)
    assert json.loads(r.message.content)["name"] == "Ada Lovelace"


def test_image(client, side):
    client.chat(model=side.model("see"), messages=[{"role": "user", "content": "What is it?", "images": [PNG]}])
    assert digest(PNG) in json.dumps(side.seen("see"))


def test_length(client, side):
    r = client.chat(model=side.model("length"), messages=HELLO, options={"num_predict": 5})
    assert r.done_reason == "length"


def test_error(client, side):
    with pytest.raises(ollama.ResponseError) as e:
        client.chat(model=side.model("nothing-like-this"), messages=HELLO)
    assert e.value.status_code == 404 and "does not exist" in e.value.error
    with pytest.raises(ollama.ResponseError) as e:
        ollama.Client(host=URL, headers={"Authorization": "Bearer wrong-key-0123456789"}).chat(model=side.model("text"), messages=HELLO)
    assert e.value.status_code == 401


@pytest.mark.only("openai")
def test_lists(client, side):
    names = [m.model for m in client.list().models]
    assert "grok-4-fast" in names
    assert "completion" in client.show("grok-4-fast").capabilities
    assert client.ps().models == []
