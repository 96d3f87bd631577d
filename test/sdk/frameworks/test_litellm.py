"""LiteLLM as a client, unmodified, against a running Plenum, by way of each of its providers that Plenum speaks."""

import gc
import json

import litellm
import pytest

from conftest import GREETING, KEY, PNG, URL, digest

litellm.suppress_debug_info = True
MODELS = {
    "openai": {"model": "openai/{}", "api_base": URL + "/v1"},
    "responses": {"model": "openai/responses/{}", "api_base": URL + "/v1"},
    "proxy": {"model": "litellm_proxy/{}", "api_base": URL},
    "anthropic": {"model": "anthropic/{}", "api_base": URL},
    "gemini": {"model": "gemini/{}", "api_base": URL + "/v1beta"},
    "ollama": {"model": "ollama_chat/{}", "api_base": URL},
    "azure": {"model": "azure/{}", "api_base": URL, "api_version": "2024-10-21"},
    "xai": {"model": "xai/{}", "api_base": URL + "/v1"},
}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
    "required": ["city", "unit"],
}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "The weather in a city.", "parameters": WEATHER}}]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "born", "tags"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def uncollected():
    """Its HTTP pool takes a lock that is not reentrant: a stream that is collected while one is opened waits for ever."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def ask(provider, side):
    def call(scenario, content="Say hello.", args="", **more):
        conf = {"api_key": KEY, "max_retries": 0, "num_retries": 0, **MODELS[provider]}
        conf["model"] = conf["model"].format(side.model(scenario, args))
        messages = content if isinstance(content, list) and "role" in content[0] else [{"role": "user", "content": content}]
        return litellm.completion(messages=messages, **{**conf, **more})

    return call


def test_text(ask, provider, side):
    r = ask("text", [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Say hello."}])
    assert r.choices[0].message.content == GREETING and r.choices[0].finish_reason == "stop"
    assert (r.usage.prompt_tokens, r.usage.completion_tokens) == (11, 7)
    if provider != "gemini":  # to models that the package does not know it says such words as the user's
        assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(ask):
    chunks = list(ask("text", stream=True, stream_options={"include_usage": True}))
    said = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(said) == GREETING and len(said) > 3
    assert [c.usage.completion_tokens for c in chunks if getattr(c, "usage", None)][-1] == 7


def test_tools(ask):
    messages = [{"role": "user", "content": "The weather in both cities?"}]
    m = ask("calls", messages, tools=TOOLS).choices[0].message
    assert [json.loads(c.function.arguments)["city"] for c in m.tool_calls] == ["Paris", "Lyon"]
    messages.append(m.model_dump(include={"role", "content", "tool_calls"}))
    messages += [{"role": "tool", "tool_call_id": c.id, "name": "get_weather", "content": "11 degrees"} for c in m.tool_calls]
    assert "11 degrees" in ask("calls", messages, tools=TOOLS).choices[0].message.content


def test_tool_streamed(ask, provider):
    if provider == "responses":
        pytest.skip("this package says the arguments of such a call twice")
    r = litellm.stream_chunk_builder(list(ask("call", tools=TOOLS, stream=True)))
    assert [json.loads(c.function.arguments)["city"] for c in r.choices[0].message.tool_calls] == ["Paris"]


def test_structured_output(ask):
    r = ask("json", response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}})
    assert json.loads(r.choices[0].message.content)["born"] == 1815


def test_image(ask, side):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}
    ask("see", [{"type": "text", "text": "What is it?"}, image])
    assert digest(PNG) in str(side.seen("see"))


@pytest.mark.parametrize("status,kind", [(400, litellm.BadRequestError), (429, litellm.RateLimitError)])
def test_error(ask, status, kind):
    with pytest.raises(kind, match="as you wish"):
        ask("fail", args=str(status))


def test_refused_key(ask):
    with pytest.raises(litellm.AuthenticationError):
        ask("text", api_key="sk-not-this-one")
