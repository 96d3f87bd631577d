"""The official xai-sdk, unmodified, over gRPC against a running Plenum."""

import base64
import json
import struct
import urllib.parse
from typing import List

import grpc
import pytest
from pydantic import BaseModel
from xai_sdk import AsyncClient, Client
from xai_sdk.chat import file, image, required_tool, system, tool, tool_result, user
from xai_sdk.proto import embed_pb2, embed_pb2_grpc

from conftest import GREETING, KEY, PDF, PNG, URL, digest

HOST = urllib.parse.urlparse(URL).netloc
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER = tool(name="get_weather", description="The weather in a city.", parameters=SCHEMA)
CLOCK = tool(name="now", description="The time.", parameters={"type": "object", "properties": {}})
PARIS = {"city": "Paris", "unit": "celsius"}
LYON = {"city": "Lyon", "unit": "celsius"}
# The SDK itself tries again where a service is unavailable: here a test wants to see what was said first.
ONCE = [("grpc.enable_retries", 0)]


class Person(BaseModel):
    name: str
    born: int
    tags: List[str]


ADA = Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])


@pytest.fixture(scope="session")
def client():
    c = Client(api_key=KEY, api_host=HOST, use_insecure_channel=True, timeout=30, channel_options=ONCE)
    yield c
    c.close()


def chat(client, side, scenario, **kw):
    args = kw.pop("args", "")
    return client.chat.create(model=side.model(scenario, args), messages=kw.pop("messages", [user("Say hello.")]), **kw)


def test_text(client, side):
    r = chat(client, side, "text", messages=[system("Be terse."), user("Say hello.")]).sample()
    assert r.content == GREETING
    assert r.role == "ROLE_ASSISTANT" and r.finish_reason == "REASON_STOP" and r.id and r.created.year > 2000
    assert (r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens) == (11, 7, 18)
    seen = side.seen("text")
    assert seen["system"] == ["Be terse."]
    assert seen["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]


def test_text_streamed(client, side):
    pieces, last = [], None
    for last, chunk in chat(client, side, "text").stream():
        pieces.append(chunk.content)
    assert "".join(pieces) == last.content == GREETING and len([p for p in pieces if p]) > 3
    assert last.finish_reason == "REASON_STOP" and last.usage.total_tokens == 18
    assert side.seen("text")["stream"]


def test_async_client(side):
    import asyncio

    async def go():
        c = AsyncClient(api_key=KEY, api_host=HOST, use_insecure_channel=True, timeout=30)
        text = ""
        async for _, chunk in chat(c, side, "text").stream():
            text += chunk.content
        await c.close()
        return text

    assert asyncio.run(go()) == GREETING


def test_parameters(client, side):
    chat(client, side, "text", temperature=0.7, max_tokens=77, stop=["END", "STOP"], user="user-7").sample()
    seen = side.seen("text")
    assert float(seen["temperature"]) == 0.7, "and not what becomes of it in 32 bits"
    assert (seen["max"], seen["stop"], seen["user"]) == (77, ["END", "STOP"], "user-7")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_tool_call_and_its_result(client, side, streamed):
    c = chat(client, side, "call", messages=[user("The weather in Paris?")], tools=[WEATHER])
    r = [x for x, _ in c.stream()][-1] if streamed else c.sample()
    assert r.finish_reason == "REASON_TOOL_CALLS" and r.content == "Let me look."
    assert [t.function.name for t in r.tool_calls] == ["get_weather"]
    assert json.loads(r.tool_calls[0].function.arguments) == PARIS
    assert side.seen("call")["tools"][0]["schema"] == SCHEMA
    c.append(r).append(tool_result("21 degrees"))  # its id is told by the order
    assert c.sample().content == "It is 21 degrees."
    turns = side.seen("call")["turns"]
    call, result = turns[1]["parts"][-1], turns[2]["parts"][0]
    assert (call["type"], result["type"], call["id"]) == ("call", "result", result["id"])


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_parallel_calls(client, side, streamed):
    c = chat(client, side, "calls", tools=[WEATHER])
    r = [x for x, _ in c.stream()][-1] if streamed else c.sample()
    assert [json.loads(t.function.arguments) for t in r.tool_calls] == [PARIS, LYON]
    c.append(r)
    for t in r.tool_calls:
        c.append(tool_result("fine", tool_call_id=t.id))
    assert c.sample().content == "It is fine."
    assert [p["type"] for p in side.seen("calls")["turns"][2]["parts"]] == ["result", "result"]


@pytest.mark.parametrize(
    "choice,want",
    [("auto", "auto"), ("required", "any"), ("none", "none"), (required_tool("now"), "tool:now")],
    ids=["auto", "required", "none", "named"],
)
def test_tool_choice(client, side, choice, want):
    r = chat(client, side, "obey", tools=[WEATHER, CLOCK], tool_choice=choice).sample()
    assert side.seen("obey")["choice"] == want
    if want == "none":
        assert not r.tool_calls and r.finish_reason == "REASON_STOP"
    else:
        assert r.tool_calls[0].function.name == ("now" if want == "tool:now" else "get_weather")


def test_structured_output(client, side):
    r, person = chat(client, side, "json").parse(Person)
    assert person == ADA and json.loads(r.content)["born"] == 1815
    seen = side.seen("json")
    assert seen["format"]["kind"] == "schema"
    assert set(seen["format"]["schema"]["properties"]) == {"name", "born", "tags"}


def test_images_and_documents(client, side):
    chat(
        client,
        side,
        "see",
        messages=[
            user(
                "Compare.",
                image("data:image/png;base64," + PNG),
                image("https://example.com/cat.png"),
                file(data=base64.b64decode(PDF), filename="page.pdf", mime_type="application/pdf"),
            )
        ],
    ).sample()
    parts = side.seen("see")["turns"][0]["parts"]
    assert [p["type"] for p in parts] == ["text", "image", "image", "document"]
    assert parts[1]["hash"] == digest(PNG) and parts[2]["url"] == "https://example.com/cat.png"
    assert parts[3]["hash"] == digest(PDF)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_reasoning(client, side, streamed):
    c = chat(client, side, "think", reasoning_effort="high")
    r = [x for x, _ in c.stream()][-1] if streamed else c.sample()
    assert r.content == "It is 42."
    assert r.reasoning_content == "Six times seven: that is forty-two."
    assert r.usage.completion_tokens + r.usage.reasoning_tokens == 50
    seen = side.seen("think")
    assert seen["effort"] == "high" or seen["thinking"] not in ("", "off"), seen


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_reasoning_with_tools_goes_round(client, side, streamed):
    c = chat(client, side, "think-call", tools=[WEATHER], reasoning_effort="high")
    r = [x for x, _ in c.stream()][-1] if streamed else c.sample()
    c.append(r).append(tool_result("42", tool_call_id=r.tool_calls[0].id))
    assert c.sample().content == "The lookup says 42."


@pytest.mark.parametrize("scenario,want", [("length", "REASON_MAX_LEN"), ("stop", "REASON_STOP")])
def test_finish_reason(client, side, scenario, want):
    assert chat(client, side, scenario, stop=["END"]).sample().finish_reason == want


def test_usage(client, side):
    u = chat(client, side, "cached").sample().usage
    assert (u.prompt_tokens, u.cached_prompt_text_tokens, u.completion_tokens, u.total_tokens) == (1220, 1000, 9, 1229)


@pytest.mark.only("openai")
def test_several_answers(client, side):
    assert [r.content for r in chat(client, side, "many").sample_batch(2)] == ["choice 0", "choice 1"]


@pytest.mark.parametrize(
    "status,want",
    [
        ("400", grpc.StatusCode.INVALID_ARGUMENT),
        ("401", grpc.StatusCode.INTERNAL),
        ("404", grpc.StatusCode.NOT_FOUND),
        ("429", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("500", grpc.StatusCode.INTERNAL),
        ("503", grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_errors(client, side, status, want):
    with pytest.raises(grpc.RpcError) as e:
        chat(client, side, "fail", args=status).sample()
    assert e.value.code() == want
    assert "sk-vendor" not in e.value.details()
    if status == "400":
        assert "as you wish: 400" in e.value.details()


@pytest.mark.parametrize("scenario", ["fault", "cut"])
def test_error_in_a_stream(client, side, scenario):
    text = ""
    with pytest.raises(grpc.RpcError) as e:
        for _, chunk in chat(client, side, scenario).stream():
            text += chunk.content
    assert text.startswith("one two") and e.value.code() != grpc.StatusCode.OK


def test_unknown_model_and_key():
    with Client(api_key=KEY, api_host=HOST, use_insecure_channel=True) as c:
        with pytest.raises(grpc.RpcError) as e:
            c.chat.create(model="no-such", messages=[user("x")]).sample()
        assert e.value.code() == grpc.StatusCode.NOT_FOUND and "no-such" in e.value.details()
    with Client(api_key="not-a-key", api_host=HOST, use_insecure_channel=True) as c:
        with pytest.raises(grpc.RpcError) as e:
            c.chat.create(model="oa/text", messages=[user("x")]).sample()
        assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_models(client):
    names = [m.name for m in client.models.list_language_models()]
    assert "grok-4-fast" in names
    assert client.models.get_language_model("grok-4-fast").name == "grok-4-fast"
    with pytest.raises(grpc.RpcError) as e:
        client.models.get_language_model("no-such")
    assert e.value.code() == grpc.StatusCode.NOT_FOUND


def texts(seen):
    return [[p["text"] for p in t["parts"] if p["type"] == "text"] for t in seen["turns"]]


def test_deferred(client, side):
    r = chat(client, side, "text").defer()
    assert r.content == GREETING and r.finish_reason == "REASON_STOP" and r.id
    assert (r.usage.prompt_tokens, r.usage.completion_tokens) == (11, 7)
    c = chat(client, side, "call", messages=[user("The weather?")], tools=[WEATHER, CLOCK])
    assert [t.function.name for t in c.defer().tool_calls]


def test_deferred_error(client, side):
    with pytest.raises(grpc.RpcError) as e:
        chat(client, side, "fail", args="429").defer()
    assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_stored(client, side):
    first = chat(client, side, "text", messages=[user("One.")], store_messages=True).sample()
    assert client.chat.get_stored_completion(first.id)[0].content == GREETING
    second = chat(client, side, "text", messages=[user("Two.")], store_messages=True, previous_response_id=first.id)
    for last, _ in second.stream():
        pass
    assert texts(side.seen("text")) == [["One."], [GREETING], ["Two."]]
    assert client.chat.get_stored_completion(last.id)[0].content == GREETING
    third = chat(client, side, "text", messages=[user("Three.")], previous_response_id=last.id).sample()
    assert texts(side.seen("text"))[-3:] == [["Two."], [GREETING], ["Three."]]
    assert client.chat.delete_stored_completion(first.id) == first.id
    for gone in (first.id, third.id):  # the third was not to be stored
        with pytest.raises(grpc.RpcError) as e:
            client.chat.get_stored_completion(gone)
        assert e.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as e:
        chat(client, side, "text", messages=[user("x")], previous_response_id=first.id).sample()
    assert e.value.code() == grpc.StatusCode.NOT_FOUND and first.id in e.value.details()


def test_stored_tools(client, side):
    c = chat(client, side, "call", messages=[user("The weather?")], tools=[WEATHER, CLOCK], store_messages=True)
    r = c.sample()
    call = r.tool_calls[0]
    chat(client, side, "text", messages=[tool_result("sunny", tool_call_id=call.id)], tools=[WEATHER, CLOCK], previous_response_id=r.id).sample()
    kinds = [[p["type"] for p in t["parts"]] for t in side.seen("text")["turns"]]
    assert kinds == [["text"], ["text", "call"], ["result"]]


def test_key_info(client):
    info = client.auth.get_api_key_info()
    assert info.name and info.team_id and info.redacted_api_key and KEY not in info.redacted_api_key


def test_embeddings(client):
    stub = embed_pb2_grpc.EmbedderStub(client._api_channel)  # the SDK has no better word for it
    for form in (embed_pb2.FORMAT_FLOAT, embed_pb2.FORMAT_BASE64):
        asked = [embed_pb2.EmbedInput(string=s) for s in ("alpha", "omega")]
        r = stub.Embed(embed_pb2.EmbedRequest(model="embedder", input=asked, encoding_format=form))
        assert [e.index for e in r.embeddings] == [0, 1] and r.usage.num_text_embeddings == 2 and r.id
        for e in r.embeddings:
            f = e.embeddings[0]
            packed = base64.b64decode(f.base64_array)
            assert list(f.float_array or struct.unpack("<3f", packed)) == [0.5, -1.25, 5.0]
    assert client.models.get_embedding_model("embedder").name == "embedder"
    assert list(client.models.list_embedding_models()) == []


def test_not_served(client):
    for call, word in {
        lambda: client.tokenize.tokenize_text("x", model="m"): "count_tokens",
        lambda: client.files.list(): "/v1/files",
        lambda: client.batch.create("b"): "/v1/batches",
        lambda: client.chat.compact_context("m", [user("x")]): "/v1/responses/compact",
        lambda: client.collections.search("x", ["c"]): "collections_search",
        lambda: client.video.generate("a cat", model="m"): "videos are not made",
    }.items():
        with pytest.raises(grpc.RpcError) as e:
            call()
        assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED and word in e.value.details(), e.value.details()
