"""The client of the first version in the official cohere SDK, unmodified, against a running Plenum."""

import json

import cohere
import pytest

from conftest import GREETING, KEY, URL

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameter_definitions": {
        "city": {"description": "Which city.", "type": "str", "required": True},
        "unit": {"type": "str", "required": True},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "born", "tags"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def client():
    return cohere.Client(api_key=KEY, base_url=URL + "/cohere", timeout=30)


def test_text(client, side):
    r = client.chat(model=side.model("text"), message="Say hello.", preamble="Be terse.", max_tokens=77)
    assert r.text == GREETING and r.finish_reason == "COMPLETE" and r.generation_id and r.response_id
    assert (r.meta.billed_units.input_tokens, r.meta.billed_units.output_tokens) == (11, 7)
    assert r.meta.api_version.version == "1"
    assert [(t.role, t.message) for t in r.chat_history] == [("USER", "Say hello."), ("CHATBOT", GREETING)]
    seen = side.seen("text")
    assert seen["system"] == ["Be terse."] and seen["max"] == 77


def test_text_streamed(client, side):
    text, kinds, end = "", [], None
    for e in client.chat_stream(model=side.model("text"), message="Say hello."):
        kinds.append(e.event_type)
        text += e.text if e.event_type == "text-generation" else ""
        end = e
    assert text == GREETING and kinds[0] == "stream-start" and kinds[-1] == "stream-end"
    assert end.is_finished and end.finish_reason == "COMPLETE" and end.response.text == GREETING
    assert end.response.meta.billed_units.output_tokens == 7


def test_history(client, side):
    history = [{"role": "USER", "message": "I am Ada."}, {"role": "CHATBOT", "message": "Hello Ada."}]
    client.chat(model=side.model("text"), message="Who am I?", chat_history=history)
    seen = json.dumps(side.seen("text"))
    assert seen.index("I am Ada.") < seen.index("Hello Ada.") < seen.index("Who am I?")


def test_tools(client, side):
    model = side.model("calls")
    r = client.chat(model=model, message="The weather in both cities?", tools=[WEATHER])
    assert [c.name for c in r.tool_calls] == ["get_weather"] * 2
    assert [c.parameters["city"] for c in r.tool_calls] == ["Paris", "Lyon"]
    results = [{"call": c, "outputs": [{"weather": "11 degrees"}]} for c in r.tool_calls]
    final = client.chat(model=model, message="", chat_history=r.chat_history, tools=[WEATHER], tool_results=results)
    assert "11 degrees" in final.text and final.tool_calls is None


def test_tools_in_one_step(client, side):
    model = side.model("calls")
    r = client.chat(model=model, message="The weather in both cities?", tools=[WEATHER], force_single_step=True)
    results = [{"call": c, "outputs": [{"weather": "11 degrees"}]} for c in r.tool_calls]
    final = client.chat(
        model=model, message="The weather in both cities?", tools=[WEATHER], tool_results=results, force_single_step=True
    )
    assert "11 degrees" in final.text


def test_tools_streamed(client, side):
    parts, whole, end = {}, None, None
    for e in client.chat_stream(model=side.model("calls"), message="The weather?", tools=[WEATHER]):
        if e.event_type == "tool-calls-chunk":
            d = e.tool_call_delta
            parts[d.index] = parts.get(d.index, "") + (d.parameters or "")
        if e.event_type == "tool-calls-generation":
            whole = e
        end = e
    assert [json.loads(parts[i])["city"] for i in (0, 1)] == ["Paris", "Lyon"]
    assert [c.parameters["city"] for c in whole.tool_calls] == ["Paris", "Lyon"]
    assert [c.parameters["city"] for c in end.response.tool_calls] == ["Paris", "Lyon"]


def test_structured_output(client, side):
    r = client.chat(model=side.model("json"), message="Who?", response_format={"type": "json_object", "schema": SCHEMA})
    assert json.loads(r.text)["name"] == "Ada Lovelace"


def test_documents(client, side):
    client.chat(model=side.model("text"), message="What is green?", documents=[{"title": "Notes", "text": "Grass is green."}])
    assert "Grass is green." in json.dumps(side.seen("text"))


def test_length(client, side):
    assert client.chat(model=side.model("length"), message="Go on.", max_tokens=5).finish_reason == "MAX_TOKENS"


def test_generate(client, side):
    r = client.generate(model=side.model("text"), prompt="Say hello.")
    assert r.generations[0].text == GREETING and r.prompt == "Say hello."
    text = "".join(e.text for e in client.generate_stream(model=side.model("text"), prompt="Say hello.") if e.event_type == "text-generation")
    assert text == GREETING


def test_error(client, side):
    with pytest.raises(cohere.NotFoundError) as e:
        client.chat(model=side.model("nothing-like-this"), message="Hi")
    assert "does not exist" in str(e.value.body)
    with pytest.raises(cohere.UnauthorizedError):
        cohere.Client(api_key="wrong-key-0123456789", base_url=URL + "/cohere").chat(model=side.model("text"), message="Hi")
    with pytest.raises(cohere.BadRequestError) as e:
        client.chat(message="Hi")
    assert "model" in str(e.value.body)


def test_models(client):
    assert "embedder" in [m.name for m in client.models.list().models]
    assert client.models.get("embedder").name == "embedder"
