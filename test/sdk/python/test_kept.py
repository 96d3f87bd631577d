"""The official openai SDK, unmodified: answers that Plenum keeps, on upstreams that know nothing of it."""

import time

import openai
import pytest
from openai import OpenAI

from conftest import GREETING, KEY, URL


@pytest.fixture(scope="session")
def client():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


def texts(seen):
    return [[p["text"] for p in t["parts"] if p["type"] == "text"] for t in seen["turns"]]


def finished(client, r):
    for _ in range(200):
        if r.status not in ("queued", "in_progress"):
            return r
        time.sleep(0.05)
        r = client.responses.retrieve(r.id)
    raise AssertionError(r.status)


def test_previous_response(client, side):
    first = client.responses.create(model=side.model("text"), input="One.", instructions="Be terse.")
    assert first.store is True
    second = client.responses.create(model=side.model("text"), input="Two.", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    seen = side.seen("text")
    assert not seen.get("system") and texts(seen) == [["One."], [GREETING], ["Two."]]
    events = list(client.responses.create(model=side.model("text"), input="Three.", previous_response_id=second.id, stream=True))
    assert events[-1].response.previous_response_id == second.id
    assert texts(side.seen("text"))[-3:] == [["Two."], [GREETING], ["Three."]]


def test_retrieve_items_delete(client, side):
    r = client.responses.create(model=side.model("text"), input=[{"role": "user", "content": c} for c in ("a", "b", "c")])
    again = client.responses.retrieve(r.id)
    assert again.to_dict() == r.to_dict()
    items = list(client.responses.input_items.list(r.id, order="asc", limit=2))
    assert [i.content[0].text for i in items] == ["a", "b", "c"]
    events = list(client.responses.retrieve(r.id, stream=True))
    assert events[0].type == "response.created" and events[-1].response.output_text == GREETING
    client.responses.delete(r.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(r.id)
    with pytest.raises(openai.NotFoundError) as e:
        client.responses.create(model=side.model("text"), input="x", previous_response_id=r.id)
    assert e.value.code == "previous_response_not_found"


def test_store_false(client, side):
    r = client.responses.create(model=side.model("text"), input="x", store=False)
    assert r.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(r.id)


def test_background(client, side):
    r = client.responses.create(model=side.model("text"), input="x", background=True)
    assert r.status == "queued" and r.background is True
    r = finished(client, r)
    assert r.status == "completed" and r.output_text == GREETING and r.usage.total_tokens == 18


def test_background_cancelled(client, side):
    r = client.responses.create(model=side.model("hang"), input="x", background=True)
    time.sleep(0.3)
    assert client.responses.cancel(r.id).status == "cancelled"
    assert client.responses.retrieve(r.id).status == "cancelled"


def test_background_stream_resumed(client, side):
    with client.responses.create(model=side.model("slow"), input="x", background=True, stream=True) as s:
        first = []
        for e in s:
            first.append(e)
            if len(first) == 4:
                break
    rid = first[0].response.id
    rest = []
    with client.responses.retrieve(rid, stream=True, starting_after=first[-1].sequence_number) as s:
        for e in s:
            rest.append(e)
            if len(rest) == 5:
                break
    assert [e.sequence_number for e in first + rest] == list(range(len(first) + len(rest)))
    assert client.responses.cancel(rid).status == "cancelled"


def test_conversation(client, side):
    c = client.conversations.create(metadata={"topic": "x"}, items=[{"type": "message", "role": "user", "content": "Zero."}])
    client.responses.create(model=side.model("text"), input="One.", conversation=c.id)
    r = client.responses.create(model=side.model("text"), input="Two.", conversation=c.id)
    assert r.conversation.id == c.id
    assert [t for turn in texts(side.seen("text")) for t in turn] == ["Zero.", "One.", GREETING, "Two."]
    assert len(list(client.conversations.items.list(c.id))) == 5
    assert client.conversations.delete(c.id).deleted


@pytest.mark.only("openai")
def test_input_tokens(client, side):
    first = client.responses.create(model=side.model("text"), input="A rather long text. " * 50)
    n = client.responses.input_tokens.count(model=side.model("text"), input="x", previous_response_id=first.id)
    assert n.input_tokens > 100
