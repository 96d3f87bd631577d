"""The official cohere SDK, unmodified, against a running Plenum."""

import json

import cohere
import pytest

from conftest import GREETING, KEY, PNG, URL, digest

HELLO = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}


@pytest.fixture(scope="session")
def client():
    return cohere.ClientV2(api_key=KEY, base_url=URL, timeout=30)


def test_text(client, side):
    r = client.chat(model=side.model("text"), messages=HELLO)
    assert r.message.content[0].text == GREETING and r.message.role == "assistant"
    assert r.finish_reason == "COMPLETE" and r.id
    assert (r.usage.tokens.input_tokens, r.usage.tokens.output_tokens) == (11, 7)


def test_text_streamed(client, side):
    text, kinds, end = "", [], None
    for e in client.chat_stream(model=side.model("text"), messages=HELLO):
        kinds.append(e.type)
        if e.type == "content-delta":
            text += e.delta.message.content.text or ""
        if e.type == "message-end":
            end = e
    assert text == GREETING and kinds[0] == "message-start" and kinds[-1] == "message-end"
    assert kinds.count("content-start") == kinds.count("content-end") == 1
    assert end.delta.finish_reason == "COMPLETE" and end.delta.usage.billed_units.output_tokens == 7


def test_tools(client, side):
    messages = [{"role": "user", "content": "The weather in both cities?"}]
    model = side.model("calls")
    r = client.chat(model=model, messages=messages, tools=[WEATHER])
    assert r.finish_reason == "TOOL_CALL" and [c.function.name for c in r.message.tool_calls] == ["get_weather"] * 2
    assert [json.loads(c.function.arguments)["city"] for c in r.message.tool_calls] == ["Paris", "Lyon"]
    messages.append(r.message)
    for c in r.message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": c.id, "content": [{"type": "document", "document": {"data": {"text": "11 degrees"}}}]})
    final = client.chat(model=model, messages=messages, tools=[WEATHER])
    assert "11 degrees" in final.message.content[0].text and final.finish_reason == "COMPLETE"


def test_tools_streamed(client, side):
    names, args = {}, {}
    for e in client.chat_stream(model=side.model("calls"), messages=HELLO, tools=[WEATHER]):
        if e.type == "tool-call-start":
            names[e.index] = e.delta.message.tool_calls.function.name
        if e.type == "tool-call-delta":
            args[e.index] = args.get(e.index, "") + e.delta.message.tool_calls.function.arguments
    assert names == {0: "get_weather", 1: "get_weather"}
    assert [json.loads(args[i])["city"] for i in (0, 1)] == ["Paris", "Lyon"]


def test_structured_output(client, side):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["name", "born", "tags"],
        "additionalProperties": False,
    }
    r = client.chat(model=side.model("json"), messages=HELLO, response_format={"type": "json_object", "json_schema": schema})
    assert json.loads(r.message.content[0].text)["name"] == "Ada Lovelace"


def test_image(client, side):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}]
    client.chat(model=side.model("see"), messages=[{"role": "user", "content": content}])
    assert digest(PNG) in json.dumps(side.seen("see"))


def test_documents(client, side):
    client.chat(model=side.model("text"), messages=HELLO, documents=[{"id": "d1", "data": {"title": "Notes", "text": "Grass is green."}}])
    assert "Grass is green." in json.dumps(side.seen("text"))


def test_length(client, side):
    assert client.chat(model=side.model("length"), messages=HELLO, max_tokens=5).finish_reason == "MAX_TOKENS"


def test_error(client, side):
    with pytest.raises(cohere.NotFoundError) as e:
        client.chat(model=side.model("nothing-like-this"), messages=HELLO)
    assert "does not exist" in str(e.value.body)
    with pytest.raises(cohere.UnauthorizedError):
        cohere.ClientV2(api_key="wrong-key-0123456789", base_url=URL).chat(model=side.model("text"), messages=HELLO)
