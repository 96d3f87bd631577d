"""The official azure-ai-inference SDK, and the openai SDK's client for Azure, unmodified, against a running Plenum."""

import json

import openai
import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import (
    AssistantMessage,
    ChatCompletionsToolDefinition,
    FunctionDefinition,
    JsonSchemaFormat,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError

from conftest import GREETING, KEY, URL

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER = ChatCompletionsToolDefinition(function=FunctionDefinition(name="get_weather", description="The weather.", parameters=PARAMETERS))
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "born", "tags"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def inference():
    # The credential is a key in a header, which the SDK sends over plain HTTP only when it is told so.
    with ChatCompletionsClient(endpoint=URL + "/models", credential=AzureKeyCredential(KEY), retry_total=0, enforce_https=False) as c:
        yield c


def classic():
    return openai.AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", max_retries=0, timeout=30)


def test_text(inference, side):
    r = inference.complete(model=side.model("text"), messages=[SystemMessage("Be terse."), UserMessage("Say hello.")])
    assert r.choices[0].message.content == GREETING and r.choices[0].finish_reason == "stop"
    assert (r.usage.prompt_tokens, r.usage.completion_tokens) == (11, 7)
    assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(inference, side):
    text = ""
    for chunk in inference.complete(model=side.model("text"), messages=[UserMessage("Say hello.")], stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
    assert text == GREETING


def test_tools(inference, side):
    messages = [UserMessage("The weather in both cities?")]
    model = side.model("calls")
    r = inference.complete(model=model, messages=messages, tools=[WEATHER])
    calls = r.choices[0].message.tool_calls
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Paris", "Lyon"]
    messages.append(AssistantMessage(tool_calls=calls))
    messages += [ToolMessage("11 degrees", tool_call_id=c.id) for c in calls]
    assert "11 degrees" in inference.complete(model=model, messages=messages, tools=[WEATHER]).choices[0].message.content


def test_structured_output(inference, side):
    form = JsonSchemaFormat(name="person", schema=PERSON, strict=True)
    r = inference.complete(model=side.model("json"), messages=[UserMessage("Who?")], response_format=form)
    assert json.loads(r.choices[0].message.content)["name"] == "Ada Lovelace"


def test_extra_parameters(inference, side):
    extra = {"stop": ["END"]}
    r = inference.complete(model=side.model("text"), messages=[UserMessage("Say hello.")], model_extras=extra)
    assert r.choices[0].message.content == GREETING


def test_error(inference, side):
    with pytest.raises(HttpResponseError) as e:
        inference.complete(model=side.model("nothing-like-this"), messages=[UserMessage("Hi")])
    assert e.value.status_code == 404 and "does not exist" in str(e.value)


@pytest.mark.only("openai")
def test_model_info(inference, side):
    assert inference.get_model_info().model_type == "chat-completion"


def test_classic_client(side):
    # The deployment stands in the path, so its name must have no slash there: it is escaped.
    model = "grok-4-fast" if side.name == "openai" else "claude-here"
    with classic() as c:
        messages = [{"role": "user", "content": "Say hello."}]
        assert c.chat.completions.create(model=model, messages=messages).choices[0].message.content == GREETING
        text = ""
        for chunk in c.chat.completions.create(model=model, messages=messages, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
        assert text == GREETING
        with pytest.raises(openai.NotFoundError):
            c.chat.completions.create(model="none-such", messages=messages)
        assert c.completions.create(model=model, prompt="Say hello.").choices[0].text == GREETING


def test_classic_client_tools(side):
    tool = {"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": PARAMETERS}}
    messages = [{"role": "user", "content": "The weather in both cities?"}]
    with classic() as c:
        r = c.chat.completions.create(model=side.model("calls"), messages=messages, tools=[tool])
        calls = r.choices[0].message.tool_calls
        assert r.choices[0].finish_reason == "tool_calls"
        assert [json.loads(x.function.arguments)["city"] for x in calls] == ["Paris", "Lyon"]
        messages.append(r.choices[0].message)
        messages += [{"role": "tool", "tool_call_id": x.id, "content": "11 degrees"} for x in calls]
        r = c.chat.completions.create(model=side.model("calls"), messages=messages, tools=[tool])
        assert "11 degrees" in r.choices[0].message.content


def test_classic_client_structured_output(side):
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    with classic() as c:
        r = c.chat.completions.create(model=side.model("json"), messages=[{"role": "user", "content": "Who?"}], response_format=form)
        assert json.loads(r.choices[0].message.content)["name"] == "Ada Lovelace"


def test_v1_client(side):
    with openai.OpenAI(base_url=URL + "/openai/v1", api_key=KEY, max_retries=0) as c:
        r = c.chat.completions.create(model=side.model("text"), messages=[{"role": "user", "content": "Say hello."}])
        assert r.choices[0].message.content == GREETING


def test_legacy_completions(side):
    with openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0) as c:
        r = c.completions.create(model=side.model("text"), prompt="Say hello.", echo=True, max_tokens=50)
        assert r.choices[0].text == "Say hello." + GREETING and r.object == "text_completion" and r.usage.total_tokens == 18
        chunks = list(c.completions.create(model=side.model("text"), prompt="Say hello.", stream=True))
        assert "".join(x.choices[0].text for x in chunks if x.choices) == GREETING
        assert chunks[-1].choices[0].finish_reason == "stop"
