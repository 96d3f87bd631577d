"""Responses over a WebSocket with the official openai SDK, to upstreams that know nothing of either."""

import json

import pytest
from openai import OpenAI

from conftest import GREETING, KEY, URL
from test_responses import LYON, PARIS, WEATHER


@pytest.fixture(scope="module")
def client():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


def turn(connection):
    """The events of one answer, up to its end."""
    events = []
    for event in connection:
        events.append(event)
        if event.type in ENDS:
            return events
    raise AssertionError("the connection ended before the answer did")


def test_turns_go_on_from_each_other(client, side):
    with client.responses.connect() as c:
        c.response.create(model=side.model("text"), store=False, input="Say hello.")
        first = turn(c)
        assert first[0].type == "response.created" and first[-1].response.output_text == GREETING
        assert [e.delta for e in first if e.type == "response.output_text.delta"]
        assert (first[-1].response.usage.input_tokens, first[-1].response.usage.output_tokens) == (11, 7)
        c.response.create(model=side.model("text"), store=False, previous_response_id=first[-1].response.id, input="Again.")
        assert turn(c)[-1].response.output_text == GREETING
        assert len(side.calls("text")) == 2


def test_tools_in_a_lane(client, side):
    with client.responses.connect() as c:
        c.response.create(model=side.model("calls"), store=False, stream_id="agent_1", tools=[WEATHER], input="Hello.")
        last = turn(c)[-1]
        assert last.type == "response.completed" and last.stream_id == "agent_1"
        calls = [i for i in last.response.output if i.type == "function_call"]
        assert [json.loads(i.arguments) for i in calls] == [PARIS, LYON]


def test_an_error_is_an_event(client, side):
    with client.responses.connect() as c:
        c.response.create(model="nobody/has-this", input="x")
        last = turn(c)[-1]
        assert last.type == "error" and last.error.code == "model_not_found" and last.status == 404
        c.response.create(model=side.model("text"), store=False, input="Say hello.")
        assert turn(c)[-1].response.output_text == GREETING
