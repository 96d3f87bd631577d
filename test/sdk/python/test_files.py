"""Files and batches with the official openai and anthropic SDKs: kept and run by Plenum, on any vendor's model."""

import json
import time

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from conftest import KEY, URL

HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def oa():
    with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


@pytest.fixture(scope="module")
def an():
    with Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=30) as c:
        yield c


def test_files(oa):
    text = b'{"a": 1}\n' * 50_000
    f = oa.files.create(file=("lines.jsonl", text), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
    assert (f.filename, f.purpose, f.bytes, f.object) == ("lines.jsonl", "batch", len(text), "file")
    assert f.expires_at == f.created_at + 3600 or f.expires_at == f.created_at + 3601
    assert oa.files.retrieve(f.id).id == f.id
    assert oa.files.content(f.id).read() == text
    more = [oa.files.create(file=("x.txt", b"x"), purpose="user_data").id for _ in range(3)]
    listed = [x.id for x in oa.files.list(purpose="user_data", limit=2)]  # the SDK asks for all pages
    assert listed[:3] == more[::-1]
    assert oa.files.delete(f.id).deleted
    with pytest.raises(openai.NotFoundError):
        oa.files.retrieve(f.id)
    with pytest.raises(openai.BadRequestError):
        oa.files.create(file=("x", b"x"), purpose="nothing")
    for x in more:
        oa.files.delete(x)


def test_files_of_anthropic(an):
    f = an.beta.files.upload(file=("note.txt", b"hello", "text/plain"))
    assert (f.type, f.filename, f.mime_type, f.size_bytes) == ("file", "note.txt", "text/plain", 5)
    assert an.beta.files.retrieve_metadata(f.id).id == f.id
    assert f.id in [x.id for x in an.beta.files.list(limit=1)]
    assert an.beta.files.download(f.id).read() == b"hello"
    assert an.beta.files.delete(f.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError):
        an.beta.files.retrieve_metadata(f.id)


def test_batch_on_another_vendor(oa, side):
    lines = [
        {"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions", "body": {"model": side.model("text"), "messages": HELLO, "max_tokens": 100}}
        for i in range(5)
    ]
    text = "\n".join(json.dumps(x) for x in lines) + "\nnot a line\n"
    f = oa.files.create(file=("in.jsonl", text.encode()), purpose="batch")
    b = oa.batches.create(input_file_id=f.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"who": "sdk"})
    assert b.status == "validating" and b.metadata == {"who": "sdk"}
    for _ in range(300):
        b = oa.batches.retrieve(b.id)
        if b.status == "completed":
            break
        time.sleep(0.1)
    assert b.status == "completed" and (b.request_counts.total, b.request_counts.completed, b.request_counts.failed) == (6, 5, 1)
    out = [json.loads(x) for x in oa.files.content(b.output_file_id).text.splitlines()]
    assert [x["custom_id"] for x in out] == ["0", "1", "2", "3", "4"]
    assert all(x["response"]["body"]["object"] == "chat.completion" and x["response"]["body"]["usage"]["total_tokens"] > 0 for x in out)
    bad = [json.loads(x) for x in oa.files.content(b.error_file_id).text.splitlines()]
    assert len(bad) == 1 and bad[0]["error"]["code"] == "invalid_line"
    assert b.id in [x.id for x in oa.batches.list(limit=1)]
    with pytest.raises(openai.ConflictError):
        oa.batches.cancel(b.id)


def test_message_batch_on_another_vendor(an, side):
    b = an.messages.batches.create(
        requests=[
            {"custom_id": "a", "params": {"model": side.model("text"), "max_tokens": 100, "messages": HELLO}},
            {"custom_id": "b", "params": {"model": "nobody", "max_tokens": 100, "messages": HELLO}},
        ]
    )
    assert b.type == "message_batch"
    for _ in range(300):
        b = an.messages.batches.retrieve(b.id)
        if b.processing_status == "ended":
            break
        time.sleep(0.1)
    assert b.processing_status == "ended" and (b.request_counts.succeeded, b.request_counts.errored) == (1, 1)
    got = {r.custom_id: r.result for r in an.messages.batches.results(b.id)}
    assert got["a"].type == "succeeded" and got["a"].message.content[0].text and got["a"].message.usage.output_tokens > 0
    assert got["b"].type == "errored" and got["b"].error.error.type == "not_found_error"
    assert b.id in [x.id for x in an.messages.batches.list(limit=1)]
    assert an.messages.batches.delete(b.id).type == "message_batch_deleted"
