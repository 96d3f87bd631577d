"""Pydantic AI, unmodified, against a running Plenum, with the model classes of several vendors."""

import asyncio

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

import base64

import conftest
from conftest import GREETING, KEY, PNG, URL, digest

MODELS = {
    "chat": lambda m: OpenAIChatModel(m, provider=OpenAIProvider(base_url=URL + "/v1", api_key=KEY)),
    "responses": lambda m: OpenAIResponsesModel(m, provider=OpenAIProvider(base_url=URL + "/v1", api_key=KEY)),
    "anthropic": lambda m: AnthropicModel(m, provider=AnthropicProvider(base_url=URL, api_key=KEY)),
    "google": lambda m: GoogleModel(m, provider=GoogleProvider(base_url=URL, api_key=KEY)),
}


class Person(BaseModel):
    name: str
    born: int
    tags: list[str]


@pytest.fixture
def agent(provider, side):
    return lambda scenario, **more: Agent(MODELS[provider](side.model(scenario)), **more)


def ask(agent, question):
    async def run():
        return await agent.run(question)

    return asyncio.run(run())


def test_text(agent, side):
    r = ask(agent("text", instructions="Be terse."), "Say hello.")
    assert r.output == GREETING
    assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(agent):
    async def run():
        async with agent("text").run_stream("Say hello.") as r:
            return [d async for d in r.stream_text(delta=True, debounce_by=None)]

    pieces = asyncio.run(run())
    assert "".join(pieces) == GREETING and len(pieces) > 3


def test_tools(agent):
    r = ask(agent("calls", tools=[conftest.get_weather]), "The weather in both cities?")
    assert "11 degrees in Paris" in r.output


@pytest.mark.parametrize("how", [lambda t: t, NativeOutput], ids=["tool", "native"])
def test_structured_output(agent, provider, how):
    if provider == "anthropic" and how is NativeOutput:
        pytest.skip("the package supposes that a model that it does not know has none")
    r = ask(agent("json", output_type=how(Person)), "Who?")
    assert r.output == Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


def test_image(agent, side):
    ask(agent("see"), ["What is it?", BinaryContent(data=base64.b64decode(PNG), media_type="image/png")])
    assert digest(PNG) in str(side.seen("see"))


def test_error(agent):
    with pytest.raises(ModelHTTPError, match="does not exist") as e:
        ask(agent("nothing-like-this"), "Say hello.")
    assert e.value.status_code == 404
