"""The official mistralai SDK, unmodified, against a running Plenum."""

import asyncio
import json
import time

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from conftest import GREETING, KEY, PNG, URL, digest

HELLO = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "born", "tags"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city.", "parameters": SCHEMA}}
ADA = {"name": "Ada Lovelace", "born": 1815, "tags": ["math", "engines"]}


@pytest.fixture(scope="session")
def client():
    # docs: mistral
    client = Mistral(server_url=URL, api_key=KEY)
    # end
    return client


def test_text(client, side):
    messages = [{"role": "system", "content": "Be terse."}, *HELLO]
    r = client.chat.complete(model=side.model("text"), messages=messages, max_tokens=77, temperature=0.5, random_seed=7)
    assert r.choices[0].message.content == GREETING and r.choices[0].finish_reason == "stop"
    assert (r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens) == (11, 7, 18)
    seen = side.seen("text")
    assert seen["system"] == ["Be terse."] and seen["max"] == 77 and float(seen["temperature"]) == 0.5


def test_text_streamed(client, side):
    chunks = [event.data for event in client.chat.stream(model=side.model("text"), messages=HELLO)]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == GREETING and len(chunks) > 5
    assert chunks[-1].choices[0].finish_reason == "stop" and chunks[-1].usage.completion_tokens == 7


def test_async(side):
    async def go():
        async with Mistral(server_url=URL, api_key=KEY) as client:
            r = await client.chat.complete_async(model=side.model("text"), messages=HELLO)
            return r.choices[0].message.content

    assert asyncio.run(go()) == GREETING


def test_tools(client, side):
    messages = list(HELLO)
    args = dict(model=side.model("calls"), messages=messages, tools=[WEATHER], tool_choice="auto", parallel_tool_calls=True)
    r = client.chat.complete(**args)
    calls = r.choices[0].message.tool_calls
    assert r.choices[0].finish_reason == "tool_calls"
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Paris", "Lyon"]
    messages.append(r.choices[0].message)
    messages += [{"role": "tool", "name": c.function.name, "content": "11 degrees", "tool_call_id": c.id} for c in calls]
    assert "11 degrees" in client.chat.complete(**args).choices[0].message.content


def test_tools_streamed(client, side):
    calls = []
    for event in client.chat.stream(model=side.model("calls"), messages=HELLO, tools=[WEATHER]):
        calls += event.data.choices[0].delta.tool_calls or []
    assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Paris", "Lyon"]


def test_any_tool(client, side):
    r = client.chat.complete(model=side.model("obey"), messages=HELLO, tools=[WEATHER], tool_choice="any")
    assert len(r.choices[0].message.tool_calls) == 1
    assert side.seen("obey")["choice"] == "any"


def test_structured_output(client, side):
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    r = client.chat.complete(model=side.model("json"), messages=HELLO, response_format=form)
    assert json.loads(r.choices[0].message.content) == ADA


def test_image(client, side):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": f"data:image/png;base64,{PNG}"}]
    client.chat.complete(model=side.model("see"), messages=[{"role": "user", "content": content}])
    assert digest(PNG) in json.dumps(side.seen("see"))


@pytest.mark.parametrize("scenario,args,status", [("nothing-like-this", "", 404), ("fail", "400", 400), ("fail", "429", 429)])
def test_error(client, side, scenario, args, status):
    with pytest.raises(SDKError) as e:
        client.chat.complete(model=side.model(scenario, args), messages=HELLO, retries=None)
    assert e.value.status_code == status
    assert "does not exist" in e.value.body or "as you wish" in e.value.body


def test_batch_on_any_model(client, side):
    """Jobs run by Plenum: of a file, and of requests that come along."""
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]}
    lines = [{"custom_id": "a", "body": body}, {"custom_id": "b", "body": {"messages": "none"}}, {"custom_id": "c", "body": body | {"model": side.model("text", "c")}}]
    text = "\n".join(json.dumps(x) for x in lines) + "\nnot json\n"
    f = client.files.upload(file={"file_name": "in.jsonl", "content": text.encode()}, purpose="batch")
    assert f.purpose == "batch" and client.files.retrieve(file_id=f.id).size_bytes == len(text)
    job = client.batch.jobs.create(input_files=[f.id], model=side.model("text"), endpoint="/v1/chat/completions", metadata={"who": "sdk"})
    job = settled(client, job)
    assert (job.status, job.total_requests, job.succeeded_requests, job.failed_requests) == ("SUCCESS", 4, 2, 2)
    out = [json.loads(x) for x in client.files.download(file_id=job.output_file).read().decode().splitlines()]
    assert [x["custom_id"] for x in out] == ["a", "c"]
    assert out[0]["response"]["body"]["choices"][0]["message"]["content"] == GREETING
    bad = [json.loads(x) for x in client.files.download(file_id=job.error_file).read().decode().splitlines()]
    assert [x["custom_id"] for x in bad] == ["b", ""] and bad[1]["error"]["code"] == "invalid_line"
    assert job.id in [x.id for x in client.batch.jobs.list(page=0, page_size=50).data]
    assert client.batch.jobs.get(job_id=job.id, inline=True).outputs[0]["custom_id"] == "a"

    job = client.batch.jobs.create(requests=[{"body": body}, {"body": body}], model=side.model("text"), endpoint="/v1/chat/completions", timeout_hours=2)
    job = settled(client, job)
    assert (job.status, job.succeeded_requests, job.input_files) == ("SUCCESS", 2, [])
    outputs = client.batch.jobs.get(job_id=job.id, inline=True).outputs
    assert [x["custom_id"] for x in outputs] == ["0", "1"]
    job = client.batch.jobs.create(requests=[{"body": body}], model=side.model("text"), endpoint="/v1/chat/completions")
    assert client.batch.jobs.cancel(job_id=job.id).status in ("CANCELLATION_REQUESTED", "CANCELLED", "SUCCESS", "RUNNING")
    assert client.files.delete(file_id=f.id).deleted


def settled(client, job):
    for _ in range(300):
        job = client.batch.jobs.get(job_id=job.id)
        if job.status not in ("QUEUED", "RUNNING", "CANCELLATION_REQUESTED"):
            break
        time.sleep(0.1)
    return job


def test_models(client):
    data = client.models.list().data
    assert "embedder" in [m.id for m in data] and data[0].capabilities.completion_chat
    assert client.models.retrieve(model_id="embedder").id == "embedder"
