"""The official openai SDK, unmodified, speaking Responses to upstreams that know nothing of it."""

import json
from typing import List

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from conftest import GREETING, KEY, PNG, URL, digest

PARIS = {"city": "Paris", "unit": "celsius"}
LYON = {"city": "Lyon", "unit": "celsius"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
CLOCK = {"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Person(BaseModel):
    name: str
    born: int
    tags: List[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.fixture(scope="session")
def client():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


def gather(events):
    """All events of a stream, with the checks that hold for each."""
    events = list(events)
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[0].response.status == "in_progress"
    done = [e.item for e in events if e.type == "response.output_item.done"]
    assert [i.to_dict() for i in events[-1].response.output] == [i.to_dict() for i in done]
    return events


def test_text(client, side):
    r = client.responses.create(model=side.model("text"), input="Say hello.", instructions="Be terse.")
    assert r.output_text == GREETING
    assert r.status == "completed" and r.error is None and r.store is True and r.instructions == "Be terse."
    assert (r.usage.input_tokens, r.usage.output_tokens, r.usage.total_tokens) == (11, 7, 18)
    seen = side.seen("text")
    assert seen["system"] == ["Be terse."]
    assert seen["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]


def test_text_streamed(client, side):
    events = gather(client.responses.create(model=side.model("text"), input="Say hello.", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == GREETING
    assert events[-1].type == "response.completed" and events[-1].response.output_text == GREETING
    assert events[-1].response.usage.total_tokens == 18


def test_stream_helper(client, side):
    with client.responses.stream(model=side.model("text"), input="Say hello.") as s:
        text = "".join(e.delta for e in s if e.type == "response.output_text.delta")
        assert text == GREETING == s.get_final_response().output_text


def test_tool_call_and_its_result(client, side):
    turn = [{"role": "user", "content": "The weather in Paris?"}]
    r = client.responses.create(model=side.model("call"), input=turn, tools=[WEATHER])
    assert r.output_text == "Let me look."
    call = r.output[-1]
    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert json.loads(call.arguments) == PARIS
    assert side.seen("call")["tools"][0]["schema"] == WEATHER["parameters"]
    turn += r.output
    turn += [{"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}]
    r = client.responses.create(model=side.model("call"), input=turn, tools=[WEATHER])
    assert r.output_text == "It is 21 degrees."
    turns = side.seen("call")["turns"]
    call, result = turns[1]["parts"][-1], turns[2]["parts"][0]
    assert (call["type"], result["type"], call["id"]) == ("call", "result", result["id"])
    assert json.loads(call["args"]) == PARIS


def test_parallel_calls_streamed(client, side):
    events = gather(client.responses.create(model=side.model("calls"), input="Hello.", tools=[WEATHER], stream=True))
    calls = [i for i in events[-1].response.output if i.type == "function_call"]
    assert [json.loads(c.arguments) for c in calls] == [PARIS, LYON]
    assert len({c.call_id for c in calls}) == 2
    deltas = {}
    for e in events:
        if e.type == "response.function_call_arguments.delta":
            deltas.setdefault(e.item_id, []).append(e.delta)
    assert [json.loads("".join(d)) for d in deltas.values()] == [PARIS, LYON]


def test_call_without_arguments(client, side):
    r = client.responses.create(model=side.model("noargs"), input="Hello.", tools=[CLOCK])
    assert json.loads(r.output[-1].arguments) == {}


@pytest.mark.parametrize(
    "choice,want",
    [("auto", "auto"), ("required", "any"), ("none", "none"), ({"type": "function", "name": "now"}, "tool:now")],
    ids=["auto", "required", "none", "named"],
)
def test_tool_choice(client, side, choice, want):
    client.responses.create(model=side.model("obey"), input="Hello.", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert side.seen("obey")["choice"] == want


def test_parse(client, side):
    r = client.responses.parse(model=side.model("json"), input="Who?", text_format=Person)
    assert r.output_parsed == ADA
    seen = side.seen("json")
    assert seen["format"]["kind"] == "schema"
    assert set(seen["format"]["schema"]["properties"]) == {"name", "born", "tags"}


def test_parse_streamed(client, side):
    with client.responses.stream(model=side.model("json"), input="Who?", text_format=Person) as s:
        assert s.get_final_response().output_parsed == ADA


def test_image(client, side):
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": "data:image/png;base64," + PNG, "detail": "auto"},
    ]
    r = client.responses.create(model=side.model("see"), input=[{"role": "user", "content": parts}])
    assert r.output_text == "I have read it."
    assert digest(PNG) in json.dumps(side.seen("see"))


def test_reasoning(client, side):
    r = client.responses.create(model=side.model("think"), input="Hello.", reasoning={"effort": "high", "summary": "auto"})
    assert r.output_text == "It is 42."
    assert [i.type for i in r.output] == ["reasoning", "message"]
    assert r.output[0].summary[0].text == "Six times seven: that is forty-two."
    events = gather(client.responses.create(model=side.model("think"), input="Hello.", reasoning={"effort": "high"}, stream=True))
    text = "".join(e.delta for e in events if e.type == "response.reasoning_summary_text.delta")
    assert text == "Six times seven: that is forty-two."


def test_reasoning_with_tools_goes_round(client, side):
    turn = [{"role": "user", "content": "Look."}]
    args = {"model": side.model("think-call"), "tools": [WEATHER], "reasoning": {"effort": "high"}}
    r = client.responses.create(input=turn, **args)
    turn += r.output
    turn += [{"type": "function_call_output", "call_id": r.output[-1].call_id, "output": "42"}]
    r = client.responses.create(input=turn, **args)
    assert r.output_text == "The lookup says 42."


def test_incomplete(client, side):
    r = client.responses.create(model=side.model("length"), input="Hello.")
    assert r.status == "incomplete" and r.incomplete_details.reason == "max_output_tokens"
    events = gather(client.responses.create(model=side.model("length"), input="Hello.", stream=True))
    assert events[-1].type == "response.incomplete"


def test_usage(client, side):
    u = client.responses.create(model=side.model("cached"), input="Hello.").usage
    assert (u.input_tokens, u.input_tokens_details.cached_tokens, u.output_tokens) == (1220, 1000, 9)


def test_count_of_tokens(client, side):
    assert client.responses.input_tokens.count(model=side.model("text"), input="Say hello.").input_tokens > 0


@pytest.mark.parametrize(
    "status,kind", [(400, openai.BadRequestError), (401, openai.InternalServerError), (404, openai.NotFoundError), (429, openai.RateLimitError)]
)
def test_error_of_the_upstream(client, side, status, kind):
    for stream in (False, True):
        with pytest.raises(kind) as e:
            client.responses.create(model=side.model("fail", str(status)), input="Hello.", stream=stream)
        assert e.value.body["message"] and "sk-vendor" not in str(e.value)


def test_error_in_the_middle_of_a_stream(client, side):
    text = ""
    with pytest.raises(openai.APIError) as e:
        for event in client.responses.create(model=side.model("fault"), input="Hello.", stream=True):
            text += event.delta if event.type == "response.output_text.delta" else ""
    assert text == "one two three " and "Overloaded" in str(e.value)


def test_what_is_not_kept(client, side):
    with pytest.raises(openai.NotFoundError) as e:
        client.responses.create(model=side.model("text"), input="Hello.", previous_response_id="resp_1")
    assert e.value.code == "previous_response_not_found" and "whole conversation" in str(e.value)
    assert side.calls("text") == []


def test_kept_responses(client):
    for call in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call("resp_1")


def test_custom_tool(client, side):
    tool = {"type": "custom", "name": "get_weather", "description": "Free text."}
    r = client.responses.create(model=side.model("call"), input="Hello.", tools=[tool])
    assert (r.output[-1].type, r.output[-1].name) == ("custom_tool_call", "get_weather")
    assert json.loads(r.output[-1].input)
