"""Structured output of models that have none: the SDKs' own ways to ask for it, and what they make of the answer."""

import uuid

import pytest
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import OpenAI
from pydantic import BaseModel

from conftest import KEY, URL

ASK = [{"role": "user", "content": "Who wrote the first program?"}]


class Person(BaseModel):
    name: str
    born: int
    tags: list[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.fixture(params=["made", "made-an"])
def model(request):
    """A model without formats, of either vendor, that leaves members out until it is told."""
    return f"{request.param}/told:{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def client():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


def test_openai_parse(client, model):
    raw = client.chat.completions.with_raw_response.parse(model=model, messages=ASK, response_format=Person)
    assert raw.headers["plenum-attempts"] == "2"
    assert "response_format said as an answer by a tool" in raw.headers["plenum-changed"]
    message = raw.parse().choices[0].message
    assert message.parsed == ADA
    assert not message.tool_calls


def test_openai_parse_streamed(client, model):
    with client.chat.completions.stream(model=model, messages=ASK, response_format=Person) as s:
        parsed = [e.parsed for e in s if e.type == "content.done"]
        last = s.get_final_completion()
    assert parsed == [ADA]
    assert last.choices[0].message.parsed == ADA
    assert last.choices[0].finish_reason == "stop"


def test_responses_parse(client, model):
    assert client.responses.parse(model=model, input=ASK, text_format=Person).output_parsed == ADA


def test_responses_parse_streamed(client, model):
    with client.responses.stream(model=model, input=ASK, text_format=Person) as s:
        assert s.get_final_response().output_parsed == ADA


def test_anthropic_parse(model):
    with Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=30) as c:
        r = c.messages.parse(model=model, max_tokens=200, messages=ASK, output_format=Person)
        assert r.parsed_output == ADA
        assert r.stop_reason == "end_turn"
        assert [b.type for b in r.content] == ["text"]


def test_google_parsed(model):
    c = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=30_000))
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    assert c.models.generate_content(model=model, contents="Who?", config=config).parsed == ADA
