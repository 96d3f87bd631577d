"""OpenAI's Agents SDK, unmodified, against a running Plenum: by way of Responses and of Chat Completions."""

import asyncio

import pytest
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner, function_tool
from openai import AsyncOpenAI, NotFoundError
from pydantic import BaseModel

import conftest
from conftest import GREETING, KEY, URL

MODELS = {"responses": OpenAIResponsesModel, "chat": OpenAIChatCompletionsModel}
QUIET = RunConfig(tracing_disabled=True)


class Person(BaseModel):
    name: str
    born: int
    tags: list[str]


@pytest.fixture(params=MODELS)
def agent(request, side):
    def make(scenario, **more):
        client = AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
        return Agent(name="one", instructions="Be terse.", model=MODELS[request.param](side.model(scenario), client), **more)

    return make


def ask(agent, question):
    return asyncio.run(Runner.run(agent, question, run_config=QUIET))


def test_text(agent, side):
    assert ask(agent("text"), "Say hello.").final_output == GREETING
    assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(agent):
    async def run():
        stream = Runner.run_streamed(agent("text"), "Say hello.", run_config=QUIET)
        return [e.type async for e in stream.stream_events()], stream.final_output

    kinds, said = asyncio.run(run())
    assert said == GREETING and kinds.count("raw_response_event") > 3


def test_tools(agent):
    r = ask(agent("calls", tools=[function_tool(conftest.get_weather)]), "The weather in both cities?")
    assert "11 degrees in Paris" in r.final_output
    assert [i.type for i in r.new_items].count("tool_call_output_item") == 2


def test_handoff(agent):
    other = agent("text")
    r = ask(agent("noargs", handoffs=[other]), "Say hello.")
    assert r.final_output == GREETING and r.last_agent is other


def test_structured_output(agent):
    assert ask(agent("json", output_type=Person), "Who?").final_output == Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


def test_error(agent):
    with pytest.raises(NotFoundError, match="does not exist"):
        ask(agent("nothing-like-this"), "Say hello.")
