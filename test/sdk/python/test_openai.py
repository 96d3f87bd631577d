"""The official openai SDK, unmodified, against a running Plenum."""

import json
import time
from typing import List

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from conftest import GREETING, KEY, PDF, PNG, URL, digest

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
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
PARIS = {"city": "Paris", "unit": "celsius"}
LYON = {"city": "Lyon", "unit": "celsius"}


class Person(BaseModel):
    name: str
    born: int
    tags: List[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.fixture(scope="session")
def client():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


def gather(stream):
    """The text, the reasoning, the calls and what else a stream of chunks said."""
    text, thought, calls, finish, usage, chunks = "", "", {}, None, None, []
    for chunk in stream:
        chunks.append(chunk)
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            assert choice.index == 0
            text += choice.delta.content or ""
            thought += getattr(choice.delta, "reasoning_content", None) or ""
            for c in choice.delta.tool_calls or []:
                call = calls.setdefault(c.index, {"id": c.id, "name": c.function.name, "args": []})
                call["args"].append(c.function.arguments or "")
            if choice.finish_reason:
                assert finish is None, "two finish reasons"
                finish = choice.finish_reason
    return {"text": text, "thought": thought, "calls": calls, "finish": finish, "usage": usage, "chunks": chunks}


# Text


def test_text(client, side):
    r = client.chat.completions.create(model=side.model("text"), messages=HELLO)
    assert r.choices[0].message.content == GREETING
    assert r.choices[0].message.role == "assistant"
    assert r.choices[0].finish_reason == "stop"
    assert r.object == "chat.completion" and r.id and r.created > 0
    assert (r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens) == (11, 7, 18)
    assert side.seen("text")["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]


def test_text_streamed(client, side):
    got = gather(client.chat.completions.create(model=side.model("text"), messages=HELLO, stream=True))
    assert got["text"] == GREETING
    assert got["finish"] == "stop"
    assert got["usage"] is None, "a usage chunk that nobody asked for"
    assert got["chunks"][0].choices[0].delta.role == "assistant"
    assert len({c.id for c in got["chunks"]}) == 1 and len(got["chunks"]) > 5
    assert side.seen("text")["stream"]


def test_usage_of_a_stream_when_asked_for(client, side):
    got = gather(
        client.chat.completions.create(
            model=side.model("cached"), messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    last = got["chunks"][-1]
    assert last.choices == [] and last.usage is got["usage"]
    assert got["usage"].prompt_tokens == 1220 and got["usage"].prompt_tokens_details.cached_tokens == 1000
    assert got["usage"].completion_tokens == 9 and got["usage"].total_tokens == 1229


def test_stream_helper(client, side):
    with client.chat.completions.stream(model=side.model("text"), messages=HELLO) as s:
        deltas = [e.delta for e in s if e.type == "content.delta"]
        final = s.get_final_completion()
    assert "".join(deltas) == GREETING and len(deltas) > 3
    assert final.choices[0].message.content == GREETING


def test_async_client(side):
    import asyncio

    async def go():
        async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0) as c:
            text = ""
            async for chunk in await c.chat.completions.create(model=side.model("text"), messages=HELLO, stream=True):
                for choice in chunk.choices:
                    text += choice.delta.content or ""
            return text

    assert asyncio.run(go()) == GREETING


def test_system_prompt(client, side):
    client.chat.completions.create(
        model=side.model("text"), messages=[{"role": "system", "content": "Be terse."}, *HELLO]
    )
    assert side.seen("text")["system"] == ["Be terse."]


def test_developer_prompt(client, side):
    client.chat.completions.create(
        model=side.model("text"), messages=[{"role": "developer", "content": "Be terse."}, *HELLO]
    )
    assert side.seen("text")["system"] == ["Be terse."]


def test_several_turns(client, side):
    client.chat.completions.create(
        model=side.model("text"),
        messages=[
            {"role": "user", "content": "One."},
            {"role": "user", "content": [{"type": "text", "text": "And two."}]},
            {"role": "assistant", "content": "Three."},
            {"role": "user", "content": "Four."},
        ],
    )
    assert side.seen("text")["turns"] == [
        {"role": "user", "parts": [{"type": "text", "text": "One."}, {"type": "text", "text": "And two."}]},
        {"role": "assistant", "parts": [{"type": "text", "text": "Three."}]},
        {"role": "user", "parts": [{"type": "text", "text": "Four."}]},
    ]


def test_parameters(client, side):
    client.chat.completions.create(
        model=side.model("text"),
        messages=HELLO,
        temperature=0.5,
        max_completion_tokens=77,
        stop=["END", "STOP"],
        user="user-7",
    )
    seen = side.seen("text")
    assert float(seen["temperature"]) == 0.5
    assert seen["max"] == 77
    assert seen["stop"] == ["END", "STOP"]
    assert seen["user"] == "user-7"


# Tools


def test_tool_call_and_its_result(client, side):
    messages = [{"role": "user", "content": "The weather in Paris?"}]
    r = client.chat.completions.create(model=side.model("call"), messages=messages, tools=[WEATHER])
    m = r.choices[0].message
    assert r.choices[0].finish_reason == "tool_calls"
    assert m.content == "Let me look."
    assert [c.function.name for c in m.tool_calls] == ["get_weather"]
    assert json.loads(m.tool_calls[0].function.arguments) == PARIS
    seen = side.seen("call")
    assert seen["tools"][0]["name"] == "get_weather"
    assert seen["tools"][0]["schema"] == WEATHER["function"]["parameters"]
    messages += [m, {"role": "tool", "tool_call_id": m.tool_calls[0].id, "content": "21 degrees"}]
    r = client.chat.completions.create(model=side.model("call"), messages=messages, tools=[WEATHER])
    assert r.choices[0].message.content == "It is 21 degrees."
    call, result = side.seen("call")["turns"][1]["parts"][-1], side.seen("call")["turns"][2]["parts"][0]
    assert (call["type"], result["type"], call["id"]) == ("call", "result", result["id"])
    assert json.loads(call["args"]) == PARIS


def test_tool_call_streamed(client, side):
    got = gather(client.chat.completions.create(model=side.model("call"), messages=HELLO, tools=[WEATHER], stream=True))
    assert got["text"] == "Let me look." and got["finish"] == "tool_calls"
    assert list(got["calls"]) == [0], "the first call has index 0"
    call = got["calls"][0]
    assert call["id"] and call["name"] == "get_weather"
    assert json.loads("".join(call["args"])) == PARIS
    assert len([a for a in call["args"] if a]) > 1, "arguments come as they are made"


def test_parallel_calls(client, side):
    messages = [{"role": "user", "content": "The weather in Paris and Lyon?"}]
    r = client.chat.completions.create(model=side.model("calls"), messages=messages, tools=[WEATHER])
    m = r.choices[0].message
    assert [json.loads(c.function.arguments) for c in m.tool_calls] == [PARIS, LYON]
    assert m.tool_calls[0].id != m.tool_calls[1].id
    messages += [m] + [{"role": "tool", "tool_call_id": c.id, "content": "fine"} for c in m.tool_calls]
    r = client.chat.completions.create(model=side.model("calls"), messages=messages, tools=[WEATHER])
    assert r.choices[0].message.content == "It is fine."
    turns = side.seen("calls")["turns"]
    assert [p["type"] for p in turns[2]["parts"]] == ["result", "result"]


def test_parallel_calls_streamed(client, side):
    got = gather(client.chat.completions.create(model=side.model("calls"), messages=HELLO, tools=[WEATHER], stream=True))
    assert list(got["calls"]) == [0, 1]
    assert [json.loads("".join(c["args"])) for c in got["calls"].values()] == [PARIS, LYON]


def test_parallel_calls_can_be_refused(client, side):
    r = client.chat.completions.create(
        model=side.model("calls"), messages=HELLO, tools=[WEATHER], parallel_tool_calls=False
    )
    assert len(r.choices[0].message.tool_calls) == 1
    assert side.seen("calls")["parallel"] is False


def test_call_without_arguments(client, side):
    r = client.chat.completions.create(model=side.model("noargs"), messages=HELLO, tools=[CLOCK])
    assert json.loads(r.choices[0].message.tool_calls[0].function.arguments) == {}
    got = gather(client.chat.completions.create(model=side.model("noargs"), messages=HELLO, tools=[CLOCK], stream=True))
    assert json.loads("".join(got["calls"][0]["args"])) == {}


@pytest.mark.parametrize(
    "choice,want",
    [
        ("auto", "auto"),
        ("required", "any"),
        ("none", "none"),
        ({"type": "function", "function": {"name": "now"}}, "tool:now"),
    ],
    ids=["auto", "required", "none", "named"],
)
def test_tool_choice(client, side, choice, want):
    r = client.chat.completions.create(
        model=side.model("obey"), messages=HELLO, tools=[WEATHER, CLOCK], tool_choice=choice
    )
    assert side.seen("obey")["choice"] == want
    calls = r.choices[0].message.tool_calls
    if want == "none":
        assert not calls and r.choices[0].finish_reason == "stop"
    else:
        assert calls[0].function.name == ("now" if want == "tool:now" else "get_weather")


def test_tool_result_that_failed_or_is_a_list(client, side):
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(PARIS)}}
    r = client.chat.completions.create(
        model=side.model("call"),
        messages=[
            *HELLO,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "no "}, {"type": "text", "text": "idea"}]},
        ],
        tools=[WEATHER],
    )
    assert r.choices[0].message.content == "It is no idea."


def test_strict_tool_parsed_by_the_sdk(client, side):
    class GetWeather(BaseModel):
        city: str
        unit: str

    r = client.chat.completions.parse(
        model=side.model("call"), messages=HELLO, tools=[openai.pydantic_function_tool(GetWeather, name="get_weather")]
    )
    assert r.choices[0].message.tool_calls[0].function.parsed_arguments == GetWeather(**PARIS)
    assert side.seen("call")["tools"][0]["strict"] is True


# Structured output


def test_parse(client, side):
    r = client.chat.completions.parse(model=side.model("json"), messages=HELLO, response_format=Person)
    assert r.choices[0].message.parsed == ADA
    seen = side.seen("json")
    assert seen["format"]["kind"] == "schema"
    assert set(seen["format"]["schema"]["properties"]) == {"name", "born", "tags"}


def test_parse_streamed(client, side):
    with client.chat.completions.stream(model=side.model("json"), messages=HELLO, response_format=Person) as s:
        parsed = [e.parsed for e in s if e.type == "content.done"]
        assert s.get_final_completion().choices[0].message.parsed == ADA
    assert parsed == [ADA]


@pytest.mark.only("openai")
def test_json_object(client, side):
    r = client.chat.completions.create(
        model=side.model("json"),
        messages=[{"role": "user", "content": "Answer in JSON."}],
        response_format={"type": "json_object"},
    )
    assert json.loads(r.choices[0].message.content)["born"] == 1815
    assert side.seen("json")["format"]["kind"] == "object"


# Images and documents


def test_images(client, side):
    client.chat.completions.create(
        model=side.model("see"),
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare."},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
                ],
            }
        ],
    )
    parts = side.seen("see")["turns"][0]["parts"]
    assert [p["type"] for p in parts] == ["text", "image", "image"]
    assert (parts[1]["media"], parts[1]["hash"]) == ("image/png", digest(PNG))
    assert parts[2]["url"] == "https://example.com/cat.png"


def test_document(client, side):
    client.chat.completions.create(
        model=side.model("see"),
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "page.pdf", "file_data": "data:application/pdf;base64," + PDF}},
                    {"type": "text", "text": "Summarise."},
                ],
            }
        ],
    )
    doc = side.seen("see")["turns"][0]["parts"][0]
    assert (doc["type"], doc["media"], doc["hash"], doc["name"]) == ("document", "application/pdf", digest(PDF), "page.pdf")


# Reasoning


def test_reasoning(client, side):
    r = client.chat.completions.create(model=side.model("think"), messages=HELLO, reasoning_effort="high")
    assert r.choices[0].message.content == "It is 42."
    assert r.choices[0].message.reasoning_content == "Six times seven: that is forty-two."
    assert r.usage.completion_tokens == 50
    seen = side.seen("think")
    assert seen["effort"] == "high" or seen["thinking"] not in ("", "off"), seen


def test_reasoning_streamed(client, side):
    got = gather(client.chat.completions.create(model=side.model("think"), messages=HELLO, stream=True))
    assert got["thought"] == "Six times seven: that is forty-two."
    assert got["text"] == "It is 42."


def test_reasoning_with_tools_goes_round(client, side):
    messages = list(HELLO)
    r = client.chat.completions.create(
        model=side.model("think-call"), messages=messages, tools=[WEATHER], reasoning_effort="high"
    )
    m = r.choices[0].message
    turn = {k: v for k, v in m.model_dump(exclude_none=True).items() if k != "reasoning_content" or side.name == "anthropic"}
    messages += [turn, {"role": "tool", "tool_call_id": m.tool_calls[0].id, "content": "42"}]
    r = client.chat.completions.create(
        model=side.model("think-call"), messages=messages, tools=[WEATHER], reasoning_effort="high"
    )
    assert r.choices[0].message.content == "The lookup says 42."


# How answers end


@pytest.mark.parametrize("scenario,want", [("length", "length"), ("stop", "stop"), ("filter", "content_filter")])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_finish_reason(client, side, scenario, want, streamed):
    r = client.chat.completions.create(model=side.model(scenario), messages=HELLO, stop=["END"], stream=streamed)
    got = gather(r)["finish"] if streamed else r.choices[0].finish_reason
    assert got == want


def test_refusal(client, side):
    r = client.chat.completions.create(model=side.model("refusal"), messages=HELLO)
    m = r.choices[0].message
    assert "I cannot help with that." in ((m.refusal or "") + (m.content or ""))
    assert m.refusal or r.choices[0].finish_reason == "content_filter"


def test_parse_raises_its_own_error_when_cut_short(client, side):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=side.model("length"), messages=HELLO, response_format=Person)


def test_usage(client, side):
    u = client.chat.completions.create(model=side.model("cached"), messages=HELLO).usage
    assert (u.prompt_tokens, u.completion_tokens, u.total_tokens) == (1220, 9, 1229)
    assert u.prompt_tokens_details.cached_tokens == 1000


def test_citations(client, side):
    m = client.chat.completions.create(model=side.model("cite"), messages=HELLO).choices[0].message
    assert m.content == "The grass is green."
    if side.name == "openai":
        assert m.annotations[0].url_citation.url == "https://example.com/grass"


# Choices and log probabilities


def test_several_choices(client, side):
    raw = client.chat.completions.with_raw_response.create(model=side.model("many"), messages=HELLO, n=2)
    r = raw.parse()
    if side.name == "openai":
        assert [c.message.content for c in r.choices] == ["choice 0", "choice 1"]
        assert "plenum-lost" not in raw.headers
    else:
        assert [c.message.content for c in r.choices] == ["choice 0"]
        assert "n" in raw.headers["plenum-lost"].split(", ")


def test_several_choices_streamed(client, side):
    texts = {}
    for chunk in client.chat.completions.create(model=side.model("many"), messages=HELLO, n=2, stream=True):
        for c in chunk.choices:
            texts[c.index] = texts.get(c.index, "") + (c.delta.content or "")
    assert texts == ({0: "choice 0", 1: "choice 1"} if side.name == "openai" else {0: "choice 0"})


def test_logprobs(client, side):
    raw = client.chat.completions.with_raw_response.create(
        model=side.model("text"), messages=HELLO, logprobs=True, top_logprobs=2
    )
    lp = raw.parse().choices[0].logprobs
    if side.name == "openai":
        assert "".join(t.token for t in lp.content) == GREETING
        assert [t.token for t in lp.content[0].top_logprobs] == ["alt0", "alt1"]
    else:
        assert lp is None and "logprobs" in raw.headers["plenum-lost"]


# What Plenum adds and lets through


def test_headers(client, side):
    raw = client.chat.completions.with_raw_response.create(model=side.model("text"), messages=HELLO)
    h = raw.headers
    assert h["plenum-request-id"].startswith("req_")
    assert h["plenum-deployment"] == side.short
    assert h["plenum-target"] == f"{side.name}/{side.upstream('text')}"
    assert h["plenum-attempts"] == "1"
    assert float(h["plenum-cost-usd"]) > 0
    assert raw.parse()._request_id
    assert "set-cookie" not in h and "openai-organization" not in h and "anthropic-organization-id" not in h
    if side.name == "openai":
        assert h["openai-processing-ms"] == "123"


def test_unknown_parameters(client, side):
    raw = client.chat.completions.with_raw_response.create(
        model=side.model("text"), messages=HELLO, extra_body={"x_new": {"b": 1, "a": [2, None]}}
    )
    if side.name == "openai":
        assert json.dumps(side.seen("text")["extra"]["x_new"]) == '{"b": 1, "a": [2, null]}'
    else:
        assert "x_new" in raw.headers["plenum-lost"]


def test_azures_addresses(side):
    whole = {"openai": "grok-4-fast", "anthropic": "claude-here"}[side.name]
    classic = openai.AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", max_retries=0)
    newer = OpenAI(base_url=URL + "/openai/v1", api_key=KEY, max_retries=0)
    in_header = {"Authorization": openai.Omit(), "api-key": KEY}
    for c, headers in ((classic, None), (newer, None), (newer, in_header)):
        r = c.chat.completions.create(model=whole, messages=HELLO, extra_headers=headers)
        assert r.choices[0].message.content == GREETING


# Errors


@pytest.mark.parametrize(
    "status,kind",
    [
        (400, openai.BadRequestError),
        (401, openai.InternalServerError),  # the vendor refused Plenum's credential, which is not the caller's fault
        (403, openai.InternalServerError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_error_of_the_upstream(client, side, status, kind):
    for stream in (False, True):
        with pytest.raises(kind) as e:
            client.chat.completions.create(model=side.model("fail", str(status)), messages=HELLO, stream=stream)
        assert e.value.body and e.value.body["message"] and e.value.body["type"]
        assert "sk-vendor" not in str(e.value)
        if status in (400, 404, 429):
            assert "as you wish" in str(e.value)


def test_prompt_that_is_too_long(client, side):
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(model=side.model("toolong"), messages=HELLO)
    assert e.value.code == "context_length_exceeded"


def test_bad_request_of_ours(client, side):
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(model=side.model("text"), messages="hello")
    assert "messages" in (e.value.param or "") + str(e.value)
    if side.name == "anthropic":
        assert side.calls("text") == [], "a request that cannot be read goes nowhere"


def test_wrong_key():
    c = OpenAI(base_url=URL + "/v1", api_key="pk-wrong-0123456789abcdef", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as e:
        c.chat.completions.create(model="oa/text:x", messages=HELLO)
    assert "pk-wrong" not in str(e.value)


def test_unknown_model_names_the_nearest(client):
    with pytest.raises(openai.NotFoundError) as e:
        client.chat.completions.create(model="grok-4-fst", messages=HELLO)
    assert e.value.code == "model_not_found"
    assert "grok-4-fast" in str(e.value)


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_sdk_tries_again(side, status):
    c = OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=2)
    args = f"{status}-1"
    r = c.chat.completions.create(model=side.model("again", args), messages=HELLO)
    assert r.choices[0].message.content == GREETING
    calls = side.calls("again", args)
    assert len(calls) == 2
    if status == 429:
        assert 950 <= calls[1]["at_ms"] <= 4000, "Retry-After: 1 reached the SDK"


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_gateway_tries_again(client, side, status):
    args = f"{status}-1"
    raw = client.chat.completions.with_raw_response.create(model=side.model("again", args, retry=True), messages=HELLO)
    assert raw.parse().choices[0].message.content == GREETING
    assert raw.headers["plenum-attempts"] == "2"
    calls = side.calls("again", args)
    assert len(calls) == 2
    if status == 429:
        assert calls[1]["at_ms"] >= 950, "Plenum honoured Retry-After"


def test_error_in_the_middle_of_a_stream(client, side):
    text = ""
    with pytest.raises(openai.APIError) as e:
        for chunk in client.chat.completions.create(model=side.model("fault"), messages=HELLO, stream=True):
            text += "".join(c.delta.content or "" for c in chunk.choices)
    assert text == "one two three "
    assert "Overloaded" in str(e.value)


def test_error_before_the_first_word_of_a_stream(client, side):
    with pytest.raises(openai.APIStatusError) as e:
        list(client.chat.completions.create(model=side.model("fault-first"), messages=HELLO, stream=True))
    assert e.value.status_code >= 500


@pytest.mark.parametrize("scenario", ["cut", "quiet"])
def test_stream_that_the_upstream_cuts(client, side, scenario):
    text = ""
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=side.model(scenario), messages=HELLO, stream=True):
            text += "".join(c.delta.content or "" for c in chunk.choices)
    assert text == "one two three "


# Going away


def test_abort_of_a_stream(client, side):
    s = client.chat.completions.create(model=side.model("slow"), messages=HELLO, stream=True)
    for n, _ in enumerate(s):
        if n == 4:
            break
    gone = time.time() * 1000
    s.close()
    calls = side.calls("slow", wait="cancelled")
    assert calls[-1]["cancelled_ms"], "the upstream was never told"
    assert calls[-1]["cancelled_ms"] - gone < 500


def test_abort_of_a_whole_answer(side):
    c = OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        c.chat.completions.create(model=side.model("hang"), messages=HELLO)
    assert side.calls("hang", wait="cancelled")[-1]["cancelled_ms"]


# Models


def test_models(client):
    names = [m.id for m in client.models.list()]
    assert {"grok-4-fast", "claude-here"} <= set(names)
    m = client.models.retrieve("grok-4-fast")
    assert (m.id, m.object) == ("grok-4-fast", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")
