"""The official anthropic SDK, unmodified, against a running Plenum."""

import json
import time
from typing import List

import anthropic
import pytest
from anthropic import Anthropic
from pydantic import BaseModel

from conftest import GREETING, KEY, PDF, PNG, URL, digest

HELLO = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "The weather in a city.", "input_schema": SCHEMA}
CLOCK = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
PARIS = {"city": "Paris", "unit": "celsius"}
LYON = {"city": "Lyon", "unit": "celsius"}
BUDGET = {"type": "enabled", "budget_tokens": 2000}


class Person(BaseModel):
    name: str
    born: int
    tags: List[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.fixture(scope="session")
def client():
    with Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


@pytest.fixture
def create(client):
    def call(model, messages=HELLO, **more):
        more.setdefault("max_tokens", 4096)
        return client.messages.create(model=model, messages=messages, **more)

    return call


def text_of(message):
    return "".join(b.text for b in message.content if b.type == "text")


# Text


def test_text(create, side):
    r = create(side.model("text"))
    assert [b.type for b in r.content] == ["text"] and text_of(r) == GREETING
    assert (r.type, r.role, r.stop_reason, r.stop_sequence) == ("message", "assistant", "end_turn", None)
    assert r.id and (r.usage.input_tokens, r.usage.output_tokens) == (11, 7)
    seen = side.seen("text")
    assert seen["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]
    assert seen["max"] == 4096


def test_text_streamed(create, side):
    kinds, text, usage = [], "", None
    for event in create(side.model("text"), stream=True):
        kinds.append(event.type)
        if event.type == "content_block_delta":
            text += event.delta.text
        if event.type == "message_delta":
            usage = event.usage
            assert event.delta.stop_reason == "end_turn"
    assert text == GREETING
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    assert usage.output_tokens == 7


def test_stream_helper(client, side):
    with client.messages.stream(model=side.model("text"), messages=HELLO, max_tokens=99) as s:
        deltas = list(s.text_stream)
        final = s.get_final_message()
    assert "".join(deltas) == GREETING and len(deltas) > 3
    assert text_of(final) == GREETING and final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (11, 7)


def test_async_client(side):
    import asyncio

    async def go():
        async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as c:
            async with c.messages.stream(model=side.model("text"), messages=HELLO, max_tokens=99) as s:
                return await s.get_final_text()

    assert asyncio.run(go()) == GREETING


def test_system_prompt(create, side):
    create(side.model("text"), system="Be terse.")
    assert side.seen("text")["system"] == ["Be terse."]


def test_system_prompt_in_blocks(create, side):
    create(side.model("text"), system=[{"type": "text", "text": "Be terse."}, {"type": "text", "text": "Be kind."}])
    assert "".join(side.seen("text")["system"]).replace("\n", "") == "Be terse.Be kind."


def test_several_turns(create, side):
    create(
        side.model("text"),
        [
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


def test_parameters(create, side):
    create(
        side.model("text"),
        extra_body={"temperature": 0.5},  # the SDK no longer names it; the API still takes it
        max_tokens=77,
        stop_sequences=["END", "STOP"],
        metadata={"user_id": "user-7"},
    )
    seen = side.seen("text")
    assert float(seen["temperature"]) == 0.5
    assert (seen["max"], seen["stop"], seen["user"]) == (77, ["END", "STOP"], "user-7")


def test_cache_marks(client, side):
    raw = client.messages.with_raw_response.create(
        model=side.model("cached"),
        max_tokens=99,
        system=[{"type": "text", "text": "A long text.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "Hi.", "cache_control": {"type": "ephemeral"}}]}
        ],
    )
    if side.name == "anthropic":
        assert side.seen("cached")["marks"] == ["text/1h", "text"]
    else:
        assert side.seen("cached")["turns"][0]["parts"][0]["text"] == "Hi."


# Tools


def test_tool_use_and_its_result(create, side):
    messages = [{"role": "user", "content": "The weather in Paris?"}]
    r = create(side.model("call"), messages, tools=[WEATHER])
    assert r.stop_reason == "tool_use"
    assert [b.type for b in r.content] == ["text", "tool_use"]
    use = r.content[1]
    assert (use.name, use.input) == ("get_weather", PARIS)
    seen = side.seen("call")
    assert seen["tools"][0]["schema"] == SCHEMA
    messages += [
        {"role": "assistant", "content": r.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "21 degrees"}]},
    ]
    assert text_of(create(side.model("call"), messages, tools=[WEATHER])) == "It is 21 degrees."
    turns = side.seen("call")["turns"]
    call, result = turns[1]["parts"][-1], turns[2]["parts"][0]
    assert (call["type"], result["type"], call["id"]) == ("call", "result", result["id"])
    assert json.loads(call["args"]) == PARIS


def test_tool_use_streamed(create, side):
    starts, partial, stops, reason = {}, {}, [], None
    for e in create(side.model("call"), tools=[WEATHER], stream=True):
        if e.type == "content_block_start":
            assert e.index == len(starts), "blocks are numbered without a gap"
            starts[e.index] = e.content_block
        elif e.type == "content_block_delta" and e.delta.type == "input_json_delta":
            partial.setdefault(e.index, []).append(e.delta.partial_json)
        elif e.type == "content_block_stop":
            stops.append(e.index)
        elif e.type == "message_delta":
            reason = e.delta.stop_reason
    assert [b.type for b in starts.values()] == ["text", "tool_use"]
    assert starts[1].name == "get_weather" and starts[1].input == {} and starts[1].id
    assert json.loads("".join(partial[1])) == PARIS and len([p for p in partial[1] if p]) > 1
    assert stops == [0, 1] and reason == "tool_use"


def test_parallel_uses(client, create, side):
    messages = [{"role": "user", "content": "The weather in Paris and Lyon?"}]
    with client.messages.stream(model=side.model("calls"), messages=messages, max_tokens=99, tools=[WEATHER]) as s:
        streamed = s.get_final_message()
    r = create(side.model("calls"), messages, tools=[WEATHER])
    for m in (streamed, r):
        assert [b.type for b in m.content] == ["text", "tool_use", "tool_use"]
        assert [b.input for b in m.content[1:]] == [PARIS, LYON]
        assert m.content[1].id != m.content[2].id
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": "fine"} for b in r.content[1:]]
    messages += [{"role": "assistant", "content": r.content}, {"role": "user", "content": results}]
    assert text_of(create(side.model("calls"), messages, tools=[WEATHER])) == "It is fine."


def test_results_before_more_text(create, side):
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": PARIS}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "bad"}], "is_error": True}
    r = create(
        side.model("call"),
        [*HELLO, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result, {"type": "text", "text": "Go on."}]}],
        tools=[WEATHER],
    )
    # Where there is no other word for it, a failure is said in the text.
    assert text_of(r) == ("It is bad." if side.name == "anthropic" else "It is Error: bad.")
    parts = side.seen("call")["turns"][2]["parts"]
    assert [p["type"] for p in parts] == ["result", "text"] and parts[1]["text"] == "Go on."


def test_one_use_at_a_time(create, side):
    r = create(
        side.model("calls"), tools=[WEATHER], tool_choice={"type": "auto", "disable_parallel_tool_use": True}
    )
    assert [b.type for b in r.content] == ["text", "tool_use"]
    assert side.seen("calls")["parallel"] is False


def test_use_without_input(client, create, side):
    assert create(side.model("noargs"), tools=[CLOCK]).content[0].input == {}
    with client.messages.stream(model=side.model("noargs"), messages=HELLO, max_tokens=99, tools=[CLOCK]) as s:
        assert s.get_final_message().content[0].input == {}


@pytest.mark.parametrize(
    "choice,want",
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "any"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "now"}, "tool:now"),
    ],
    ids=["auto", "any", "none", "named"],
)
def test_tool_choice(create, side, choice, want):
    r = create(side.model("obey"), tools=[WEATHER, CLOCK], tool_choice=choice)
    assert side.seen("obey")["choice"] == want
    if want == "none":
        assert [b.type for b in r.content] == ["text"] and r.stop_reason == "end_turn"
    else:
        assert r.content[0].name == ("now" if want == "tool:now" else "get_weather")


# Structured output


def test_parse(client, side):
    r = client.messages.parse(model=side.model("json"), messages=HELLO, max_tokens=999, output_format=Person)
    assert r.parsed_output == ADA
    seen = side.seen("json")
    assert seen["format"]["kind"] == "schema"
    assert set(seen["format"]["schema"]["properties"]) == {"name", "born", "tags"}


def test_parse_streamed(client, side):
    with client.messages.stream(model=side.model("json"), messages=HELLO, max_tokens=999, output_format=Person) as s:
        assert s.get_final_message().parsed_output == ADA


# Images and documents


def test_images(create, side):
    create(
        side.model("see"),
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare."},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                ],
            }
        ],
    )
    parts = side.seen("see")["turns"][0]["parts"]
    assert [p["type"] for p in parts] == ["text", "image", "image"]
    assert (parts[1]["media"], parts[1]["hash"]) == ("image/png", digest(PNG))
    assert parts[2]["url"] == "https://example.com/cat.png"


def test_image_in_a_tool_result(create, side):
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": PARIS}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a map"}, image]}
    create(
        side.model("call"),
        [*HELLO, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}],
        tools=[WEATHER],
    )
    assert digest(PNG) in json.dumps(side.seen("call")["turns"]), "the picture is there, wherever the vendor wants it"


def test_document(create, side):
    create(
        side.model("see"),
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "title": "page.pdf",
                    },
                    {"type": "text", "text": "Summarise."},
                ],
            }
        ],
    )
    doc = side.seen("see")["turns"][0]["parts"][0]
    assert (doc["type"], doc["media"], doc["hash"], doc["name"]) == ("document", "application/pdf", digest(PDF), "page.pdf")


# Thinking


def test_thinking(create, side):
    r = create(side.model("think"), thinking=BUDGET)
    assert [b.type for b in r.content] == ["thinking", "text"]
    assert r.content[0].thinking == "Six times seven: that is forty-two." and text_of(r) == "It is 42."
    assert r.usage.output_tokens == 50
    seen = side.seen("think")
    if side.name == "anthropic":
        assert seen["thinking"] == "budget:2000" and r.content[0].signature
    else:
        assert seen["effort"], "the budget was said as an effort"


def test_thinking_streamed(client, side):
    with client.messages.stream(model=side.model("think"), messages=HELLO, max_tokens=4096, thinking=BUDGET) as s:
        kinds = [e.type for e in s if e.type in ("thinking", "signature", "text")]
        r = s.get_final_message()
    assert kinds[0] == "thinking" and kinds[-1] == "text"
    assert r.content[0].thinking == "Six times seven: that is forty-two."
    if side.name == "anthropic":
        assert "signature" in kinds and r.content[0].signature


@pytest.mark.parametrize("scenario", ["think-call"])
def test_thinking_with_tools_goes_round(create, side, scenario):
    messages = list(HELLO)
    r = create(side.model(scenario), messages, tools=[WEATHER], thinking=BUDGET)
    use = r.content[-1]
    messages += [
        {"role": "assistant", "content": r.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "42"}]},
    ]
    r = create(side.model(scenario), messages, tools=[WEATHER], thinking=BUDGET)
    assert text_of(r) == "The lookup says 42."


@pytest.mark.only("anthropic")
@pytest.mark.parametrize("scenario", ["think-omitted", "think-sealed"])
def test_thinking_that_nobody_may_read_goes_round(client, create, side, scenario):
    with client.messages.stream(model=side.model(scenario), messages=HELLO, max_tokens=4096, thinking=BUDGET) as s:
        r = s.get_final_message()
    first = r.content[0]
    assert first.type == ("redacted_thinking" if scenario == "think-sealed" else "thinking")
    assert scenario == "think-sealed" or (first.thinking == "" and first.signature)
    create(
        side.model(scenario),
        [*HELLO, {"role": "assistant", "content": r.content}, {"role": "user", "content": "And now?"}],
        thinking=BUDGET,
    )
    assert side.seen(scenario)["turns"][1]["parts"][0]["type"] in ("thought", "sealed")


def test_adaptive_thinking(create, side):
    create(side.model("think"), thinking={"type": "adaptive"}, output_config={"effort": "low"})
    seen = side.seen("think")
    assert seen["effort"] == "low"
    assert seen["thinking"] == ("adaptive" if side.name == "anthropic" else "")


# How answers end


@pytest.mark.parametrize(
    "scenario,want",
    [("length", ("max_tokens",)), ("stop", ("stop_sequence", "end_turn")), ("filter", ("refusal",)), ("refusal", ("refusal",))],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_stop_reason(client, create, side, scenario, want, streamed):
    if streamed:
        with client.messages.stream(
            model=side.model(scenario), messages=HELLO, max_tokens=99, stop_sequences=["END"]
        ) as s:
            r = s.get_final_message()
    else:
        r = create(side.model(scenario), stop_sequences=["END"])
    assert r.stop_reason in want
    if side.name == "anthropic":
        assert r.stop_reason == want[0]
        if scenario == "stop":
            assert r.stop_sequence == "END"
    if scenario == "refusal":
        assert text_of(r) == "I cannot help with that."


def test_usage(client, create, side):
    with client.messages.stream(model=side.model("cached"), messages=HELLO, max_tokens=99) as s:
        streamed = s.get_final_message()
    for m in (create(side.model("cached")), streamed):
        u = m.usage
        assert u.output_tokens == 9 and u.cache_read_input_tokens == 1000
        if side.name == "anthropic":
            assert (u.input_tokens, u.cache_creation_input_tokens) == (20, 200)
        else:
            assert u.input_tokens == 220


def test_citations(create, side):
    r = create(side.model("cite"))
    assert text_of(r) == "The grass is green."
    if side.name == "anthropic":
        assert r.content[0].citations[0].cited_text == "The grass is green."


def test_count_tokens(client, side):
    raw = client.messages.with_raw_response.count_tokens(
        model=side.model("text"), messages=HELLO, system="Be terse.", tools=[WEATHER]
    )
    n = raw.parse().input_tokens
    if side.name == "anthropic":
        assert n == 42 and side.seen("text")["count"]
    else:
        assert 5 < n < 500
        assert "estimated" in raw.headers["plenum-changed"]
        assert side.calls("text") == [], "counting costs nothing"


# What Plenum adds and lets through


def test_headers(client, side):
    raw = client.messages.with_raw_response.create(
        model=side.model("text"), messages=HELLO, max_tokens=99, extra_headers={"anthropic-beta": "x-test-2026-01-01"}
    )
    h = raw.headers
    assert h["plenum-request-id"].startswith("req_")
    assert h["plenum-deployment"] == side.short
    assert h["plenum-target"] == f"{side.name}/{side.upstream('text')}"
    assert h["plenum-attempts"] == "1"
    assert float(h["plenum-cost-usd"]) > 0
    assert raw.parse()._request_id
    assert "set-cookie" not in h and "openai-organization" not in h and "anthropic-organization-id" not in h
    if side.name == "anthropic":
        assert h["anthropic-ratelimit-requests-remaining"] == "3999"
        assert side.seen("text")["betas"] == "x-test-2026-01-01"


def test_unknown_parameters(client, side):
    raw = client.messages.with_raw_response.create(
        model=side.model("text"), messages=HELLO, max_tokens=99, extra_body={"x_new": {"b": 1, "a": [2, None]}}
    )
    if side.name == "anthropic":
        assert json.dumps(side.seen("text")["extra"]["x_new"]) == '{"b": 1, "a": [2, null]}'
    else:
        assert "x_new" in raw.headers["plenum-lost"]


def test_top_k_is_named_where_it_is_lost(client, side):
    raw = client.messages.with_raw_response.create(
        model=side.model("text"), messages=HELLO, max_tokens=99, extra_body={"top_k": 5}
    )
    if side.name == "anthropic":
        assert side.seen("text")["top_k"] == 5
    else:
        assert "top_k" in raw.headers["plenum-lost"]


def test_key_as_a_bearer_token(side):
    with Anthropic(base_url=URL + "/anthropic", auth_token=KEY, api_key=None, max_retries=0) as c:
        r = c.messages.create(model=side.model("text"), messages=HELLO, max_tokens=99)
    assert text_of(r) == GREETING


def test_beta_messages(client, side):
    r = client.beta.messages.create(model=side.model("text"), messages=HELLO, max_tokens=99, betas=["x-test-2026-01-01"])
    assert text_of(r) == GREETING


# Errors


@pytest.mark.parametrize(
    "status,kind",
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.InternalServerError),  # the vendor refused Plenum's credential, which is not the caller's fault
        (403, anthropic.InternalServerError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (503, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_error_of_the_upstream(create, side, status, kind):
    for stream in (False, True):
        with pytest.raises(kind) as e:
            create(side.model("fail", str(status)), stream=stream)
        body = e.value.body
        assert body["type"] == "error" and body["error"]["type"] and body["error"]["message"]
        assert "sk-vendor" not in str(e.value)
        if status in (400, 404, 429):
            assert "as you wish" in str(e.value)
        if status == 529 and side.name == "anthropic":
            assert e.value.status_code == 529 and body["error"]["type"] == "overloaded_error"


def test_prompt_that_is_too_long(create, side):
    with pytest.raises(anthropic.BadRequestError) as e:
        create(side.model("toolong"))
    assert e.value.body["error"]["type"] == "invalid_request_error"


def test_bad_request_of_ours(create, side):
    with pytest.raises(anthropic.BadRequestError) as e:
        create(side.model("text"), "hello")
    assert "messages" in str(e.value)
    if side.name == "openai":
        assert side.calls("text") == [], "a request that cannot be read goes nowhere"


def test_wrong_key():
    c = Anthropic(base_url=URL, api_key="pk-wrong-0123456789abcdef", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as e:
        c.messages.create(model="an/text:x", messages=HELLO, max_tokens=9)
    assert "pk-wrong" not in str(e.value)


def test_unknown_model_names_the_nearest(create):
    with pytest.raises(anthropic.NotFoundError) as e:
        create("claude-her")
    assert e.value.body["error"]["type"] == "not_found_error"
    assert "claude-here" in str(e.value)


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_sdk_tries_again(side, status):
    c = Anthropic(base_url=URL, api_key=KEY, max_retries=2)
    args = f"{status}-1"
    assert text_of(c.messages.create(model=side.model("again", args), messages=HELLO, max_tokens=99)) == GREETING
    calls = side.calls("again", args)
    assert len(calls) == 2
    if status == 429:
        assert 950 <= calls[1]["at_ms"] <= 4000, "Retry-After: 1 reached the SDK"


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_gateway_tries_again(client, side, status):
    args = f"{status}-1"
    raw = client.messages.with_raw_response.create(
        model=side.model("again", args, retry=True), messages=HELLO, max_tokens=99
    )
    assert text_of(raw.parse()) == GREETING
    assert raw.headers["plenum-attempts"] == "2"
    calls = side.calls("again", args)
    assert len(calls) == 2
    if status == 429:
        assert calls[1]["at_ms"] >= 950, "Plenum honoured Retry-After"


def test_error_in_the_middle_of_a_stream(create, side):
    text = ""
    with pytest.raises(anthropic.APIStatusError) as e:
        for event in create(side.model("fault"), stream=True):
            if event.type == "content_block_delta":
                text += event.delta.text
    assert text == "one two three "
    assert "Overloaded" in str(e.value)
    assert e.value.body["type"] == "error" and e.value.body["error"]["type"]


def test_error_before_the_first_word_of_a_stream(create, side):
    with pytest.raises(anthropic.APIStatusError) as e:
        list(create(side.model("fault-first"), stream=True))
    assert e.value.status_code >= 500


@pytest.mark.parametrize("scenario", ["cut", "quiet"])
def test_stream_that_the_upstream_cuts(create, side, scenario):
    text = ""
    with pytest.raises(anthropic.APIError):
        for event in create(side.model(scenario), stream=True):
            if event.type == "content_block_delta":
                text += event.delta.text
    assert text == "one two three "


# Going away


def test_abort_of_a_stream(create, side):
    s = create(side.model("slow"), stream=True)
    for n, _ in enumerate(s):
        if n == 4:
            break
    gone = time.time() * 1000
    s.close()
    calls = side.calls("slow", wait="cancelled")
    assert calls[-1]["cancelled_ms"], "the upstream was never told"
    assert calls[-1]["cancelled_ms"] - gone < 500


def test_abort_of_a_whole_answer(side):
    c = Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=0.5)
    with pytest.raises(anthropic.APITimeoutError):
        c.messages.create(model=side.model("hang"), messages=HELLO, max_tokens=9)
    assert side.calls("hang", wait="cancelled")[-1]["cancelled_ms"]


# Models


def test_models(client):
    page = client.models.list()
    names = {m.id for m in page}
    assert {"grok-4-fast", "claude-here"} <= names
    m = client.models.retrieve("claude-here")
    assert (m.id, m.type) == ("claude-here", "model") and m.display_name
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")
