"""The official google-genai SDK, unmodified, against a running Plenum."""

import asyncio
import base64
import json

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from conftest import GREETING, KEY, PNG, URL, digest


class Person(BaseModel):
    name: str
    born: int
    tags: list[str]


@pytest.fixture(scope="session")
def client():
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=30_000))


@pytest.fixture(scope="session")
def prefixed():
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL + "/gemini", timeout=30_000))


def test_text(client, side):
    r = client.models.generate_content(
        model=side.model("text"),
        contents="Say hello.",
        config=types.GenerateContentConfig(system_instruction="Be terse.", temperature=0, max_output_tokens=99),
    )
    assert r.text == GREETING and r.candidates[0].finish_reason == types.FinishReason.STOP
    u = r.usage_metadata
    assert (u.prompt_token_count, u.candidates_token_count, u.total_token_count) == (11, 7, 18)
    assert r.response_id and r.model_version
    assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(client, side):
    chunks = list(client.models.generate_content_stream(model=side.model("text"), contents="Say hello."))
    assert "".join(c.text or "" for c in chunks) == GREETING and len(chunks) > 5
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count == 7


def test_prefix_and_async(prefixed, side):
    async def go():
        stream = await prefixed.aio.models.generate_content_stream(model=side.model("text"), contents="Say hello.")
        return "".join([c.text or "" async for c in stream])

    assert asyncio.run(go()) == GREETING


def test_chat_keeps_its_history(client, side):
    chat = client.chats.create(model=side.model("text"))
    assert chat.send_message("Say hello.").text == GREETING
    assert "".join(c.text or "" for c in chat.send_message_stream("Again.")) == GREETING
    assert chat.send_message("And again.").text == GREETING
    history = chat.get_history(curated=True)
    assert [c.role for c in history].count("user") == 3
    assert "".join(p.text for c in history if c.role == "model" for p in c.parts) == GREETING * 3


def declared():
    return types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather",
                description="The weather in a city.",
                parameters_json_schema={
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
                    "required": ["city", "unit"],
                    "additionalProperties": False,
                },
            )
        ]
    )


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, side, stream):
    model = side.model("calls")
    contents = [types.UserContent("The weather in both cities?")]
    config = types.GenerateContentConfig(tools=[declared()])
    if stream:
        parts = []
        for c in client.models.generate_content_stream(model=model, contents=contents, config=config):
            parts += [p for p in (c.candidates[0].content.parts or []) if p.function_call]
    else:
        r = client.models.generate_content(model=model, contents=contents, config=config)
        parts = [p for p in r.candidates[0].content.parts if p.function_call]
    assert [p.function_call.args for p in parts] == [{"city": "Paris", "unit": "celsius"}, {"city": "Lyon", "unit": "celsius"}]
    contents.append(types.ModelContent(parts))
    contents.append(
        types.UserContent(
            [
                types.Part.from_function_response(name="get_weather", response={"result": f"{n} degrees"})
                for n, _ in zip((11, 12), parts, strict=True)
            ]
        )
    )
    final = client.models.generate_content(model=model, contents=contents, config=config)
    assert "11 degrees" in final.text and not final.function_calls


def test_automatic_function_calling(client, side):
    asked = []

    def get_weather(city: str, unit: str) -> str:
        """The weather in a city.

        Args:
            city: The city.
            unit: The unit.
        """
        asked.append(city)
        return f"{10 + len(asked)} degrees"

    r = client.models.generate_content(
        model=side.model("calls"), contents="The weather in both cities?", config=types.GenerateContentConfig(tools=[get_weather])
    )
    assert sorted(asked) == ["Lyon", "Paris"] and "degrees" in r.text


def test_structured_output(client, side):
    r = client.models.generate_content(
        model=side.model("json"),
        contents="Who?",
        config=types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person),
    )
    assert r.parsed == Person(name="Ada Lovelace", born=1815, tags=["math", "engines"])
    assert json.loads(r.text)["born"] == 1815


def test_image(client, side):
    client.models.generate_content(
        model=side.model("see"),
        contents=["What is it?", types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")],
    )
    assert digest(PNG) in json.dumps(side.seen("see"))


def test_length(client, side):
    r = client.models.generate_content(
        model=side.model("length"), contents="Say hello.", config=types.GenerateContentConfig(max_output_tokens=5)
    )
    assert r.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_count_tokens(client, side):
    assert client.models.count_tokens(model=side.model("text"), contents="Say hello.").total_tokens > 0


def test_error(client, side):
    with pytest.raises(errors.ClientError) as e:
        client.models.generate_content(model=side.model("nothing-like-this"), contents="Say hello.")
    assert e.value.code == 404 and e.value.status == "NOT_FOUND" and "does not exist" in e.value.message
    with pytest.raises(errors.ClientError) as e:
        list(client.models.generate_content_stream(model=side.model("nothing-like-this"), contents="Say hello."))
    assert e.value.code == 404
    wrong = genai.Client(api_key="wrong-key-0123456789", http_options=types.HttpOptions(base_url=URL))
    with pytest.raises(errors.ClientError) as e:
        wrong.models.generate_content(model=side.model("text"), contents="Say hello.")
    assert e.value.code == 401 and e.value.status == "UNAUTHENTICATED"


@pytest.mark.only("openai")
def test_models(client, side):
    names = [m.name for m in client.models.list()]
    assert "models/grok-4-fast" in names and "models/claude-here" in names
    assert "generateContent" in client.models.get(model="grok-4-fast").supported_actions
