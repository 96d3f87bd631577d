"""Clients of Claude's other hosts, unmodified, pointed at a running Plenum: AnthropicBedrock and AnthropicVertex of the
official anthropic SDK, and boto3's invoke_model."""

import json

import anthropic
import pytest
from anthropic import AnthropicBedrock, AnthropicVertex
from botocore.exceptions import ClientError, EventStreamError

from conftest import GREETING, KEY, URL
from test_boto3 import client as bedrock, endpoint  # noqa: F401

HELLO = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "The weather in a city.", "input_schema": SCHEMA}
PARIS = {"city": "Paris", "unit": "celsius"}


@pytest.fixture(scope="session", params=["bedrock", "vertex"])
def client(request):
    if request.param == "bedrock":
        return AnthropicBedrock(base_url=URL, api_key=KEY, aws_region="us-east-1", max_retries=0, timeout=30)
    return AnthropicVertex(base_url=URL + "/v1", access_token=KEY, project_id="p", region="us-east5", max_retries=0, timeout=30)


def text_of(message):
    return "".join(b.text for b in message.content if b.type == "text")


def test_text(client, side):
    r = client.messages.create(model=side.model("text"), messages=HELLO, max_tokens=77, system="Be terse.")
    assert text_of(r) == GREETING and r.stop_reason == "end_turn"
    assert (r.usage.input_tokens, r.usage.output_tokens) == (11, 7)
    seen = side.seen("text")
    assert seen["max"] == 77 and seen["system"] == ["Be terse."]


def test_text_streamed(client, side):
    with client.messages.stream(model=side.model("text"), messages=HELLO, max_tokens=77) as s:
        deltas = list(s.text_stream)
        final = s.get_final_message()
    assert "".join(deltas) == GREETING == text_of(final) and len(deltas) > 3
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 7


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, side, stream):
    messages = list(HELLO)
    for turn in range(2):
        args = dict(model=side.model("call"), messages=messages, tools=[WEATHER], max_tokens=77)
        if stream:
            with client.messages.stream(**args) as s:
                r = s.get_final_message()
        else:
            r = client.messages.create(**args)
        if turn == 1:
            assert r.stop_reason == "end_turn"
            return
        call = r.content[-1]
        assert (r.stop_reason, call.type, call.name, call.input) == ("tool_use", "tool_use", "get_weather", PARIS)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "fine"}
        messages += [{"role": "assistant", "content": r.content}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("status,kind", [(400, anthropic.BadRequestError), (404, anthropic.NotFoundError), (429, anthropic.RateLimitError)])
@pytest.mark.parametrize("stream", [False, True])
def test_error(client, side, status, kind, stream):
    with pytest.raises(kind):
        client.messages.create(model=side.model("fail", str(status)), messages=HELLO, max_tokens=77, stream=stream)


def test_error_in_a_stream(client, side):
    with pytest.raises(Exception):
        for _ in client.messages.create(model=side.model("fault"), messages=HELLO, max_tokens=77, stream=True):
            pass


def test_a_key_that_is_refused():
    for c in (
        AnthropicBedrock(base_url=URL, api_key="pk-nobody", aws_region="us-east-1", max_retries=0),
        AnthropicVertex(base_url=URL + "/v1", access_token="pk-nobody", project_id="p", region="us-east5", max_retries=0),
    ):
        with pytest.raises(anthropic.AuthenticationError):
            c.messages.create(model="claude-here", messages=HELLO, max_tokens=77)


def test_tokens_are_counted():
    c = AnthropicVertex(base_url=URL + "/v1", access_token=KEY, project_id="p", region="us-east5", max_retries=0)
    assert c.messages.count_tokens(model="claude-here", messages=HELLO).input_tokens > 0


# boto3


CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 77, "messages": HELLO}


def test_invoke_model(bedrock, side):  # noqa: F811
    r = bedrock.invoke_model(modelId=side.model("text"), body=json.dumps(CLAUDE))
    body = json.loads(r["body"].read())
    assert body["content"][0]["text"] == GREETING and body["usage"]["output_tokens"] == 7
    assert r["contentType"] == "application/json"


def test_invoke_model_streamed(bedrock, side):  # noqa: F811
    r = bedrock.invoke_model_with_response_stream(modelId=side.model("text"), body=json.dumps(CLAUDE))
    events = [json.loads(e["chunk"]["bytes"]) for e in r["body"]]
    assert "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta") == GREETING
    assert events[-1]["type"] == "message_stop"
    if side.name == "openai":
        assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 7


@pytest.mark.parametrize(
    "ask,read",
    [
        ({"prompt": "Say hello.", "max_gen_len": 77}, lambda r: r["generation"]),
        ({"prompt": "<s>[INST] Say hello. [/INST]", "max_tokens": 77}, lambda r: r["outputs"][0]["text"]),
        ({"inputText": "Say hello.", "textGenerationConfig": {"maxTokenCount": 77}}, lambda r: r["results"][0]["outputText"]),
        ({"message": "Say hello.", "max_tokens": 77}, lambda r: r["text"]),
        ({"messages": HELLO, "max_tokens": 77}, lambda r: r["choices"][0]["message"]["content"]),
        (
            {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "Say hello."}]}], "inferenceConfig": {"max_new_tokens": 77}},
            lambda r: r["output"]["message"]["content"][0]["text"],
        ),
    ],
)
def test_languages(bedrock, side, ask, read):  # noqa: F811
    r = bedrock.invoke_model(modelId=side.model("text"), body=json.dumps(ask))
    assert read(json.loads(r["body"].read())) == GREETING
    seen = side.seen("text")
    assert seen["max"] == 77 and seen["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]
    r = bedrock.invoke_model_with_response_stream(modelId=side.model("text"), body=json.dumps(ask))
    assert len([e["chunk"]["bytes"] for e in r["body"]]) > 3


@pytest.mark.parametrize("status,code", [(400, "ValidationException"), (404, "ResourceNotFoundException"), (429, "ThrottlingException")])
def test_invoke_error(bedrock, side, status, code):  # noqa: F811
    for call in (bedrock.invoke_model, bedrock.invoke_model_with_response_stream):
        with pytest.raises(ClientError) as e:
            call(modelId=side.model("fail", str(status)), body=json.dumps(CLAUDE))
        assert e.value.response["Error"]["Code"] == code and e.value.response["Error"]["Message"]


def test_invoke_error_in_a_stream(bedrock, side):  # noqa: F811
    r = bedrock.invoke_model_with_response_stream(modelId=side.model("fault"), body=json.dumps(CLAUDE))
    with pytest.raises(EventStreamError):
        list(r["body"])
