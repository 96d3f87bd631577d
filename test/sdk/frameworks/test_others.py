"""Instructor, Strands and smolagents, unmodified, against a running Plenum."""

import instructor
import pytest
from anthropic import Anthropic
from openai import OpenAI
from pydantic import BaseModel
from smolagents import OpenAIServerModel, ToolCallingAgent
from smolagents import tool as smol_tool
from strands import Agent, tool
from strands.models.openai import OpenAIModel

import conftest
from conftest import GREETING, KEY, URL


class Person(BaseModel):
    name: str
    born: int
    tags: list[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA])
def test_instructor(side, mode):
    client = instructor.from_openai(OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0), mode=mode)
    r = client.chat.completions.create(model=side.model("json"), response_model=Person, messages=[{"role": "user", "content": "Who?"}])
    assert r.model_dump() == ADA.model_dump()


def test_instructor_of_anthropic(side):
    client = instructor.from_anthropic(Anthropic(base_url=URL, api_key=KEY, max_retries=0))
    r = client.messages.create(model=side.model("json"), max_tokens=100, response_model=Person, messages=[{"role": "user", "content": "Who?"}])
    assert r.model_dump() == ADA.model_dump()


def strand(side, scenario, **more):
    model = OpenAIModel(client_args={"base_url": URL + "/v1", "api_key": KEY, "max_retries": 0}, model_id=side.model(scenario))
    return Agent(model=model, callback_handler=None, **more)


def test_strands(side):
    assert str(strand(side, "text")("Say hello.")).strip() == GREETING
    assert "11 degrees in Paris" in str(strand(side, "calls", tools=[tool(conftest.get_weather)])("The weather in both cities?"))


def test_smolagents(side):
    model = OpenAIServerModel(model_id=side.model("text"), api_base=URL + "/v1", api_key=KEY)
    assert model.generate([{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]).content == GREETING
    model = OpenAIServerModel(model_id=side.model("calls"), api_base=URL + "/v1", api_key=KEY)
    agent = ToolCallingAgent(tools=[smol_tool(conftest.get_weather)], model=model, max_steps=1, verbosity_level=0)
    agent.run("The weather in both cities?")
    assert "11 degrees in Paris" in str(agent.memory.steps[1].observations)
