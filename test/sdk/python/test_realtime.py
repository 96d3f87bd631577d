"""Realtime sessions with the official openai SDK, to a vendor that is played here, in this process."""

import asyncio
import json
import os

import pytest
import websockets
from openai import AsyncOpenAI, AuthenticationError

from conftest import KEY, URL

PORT = int(os.environ.get("PLENUM_SDK_REALTIME_PORT", "0"))


async def vendor(ws):
    """A vendor that says one word to each response.create, and calls a tool where one is set."""
    model = ws.request.path.split("model=")[1]
    await ws.send(json.dumps({"type": "session.created", "event_id": "e0", "session": {"type": "realtime", "id": "sess_1", "model": model}}))
    tools, n = [], 0
    async for text in ws:
        m = json.loads(text)
        if m["type"] == "session.update":
            tools = m["session"].get("tools", [])
            await ws.send(json.dumps({"type": "session.updated", "event_id": "e1", "session": m["session"]}))
        if m["type"] != "response.create":
            continue
        n += 1
        rid = f"resp_{n}"
        out = lambda **x: ws.send(json.dumps({"event_id": f"e{n}", "response_id": rid, **x}))  # noqa: E731
        await out(type="response.created", response={"id": rid, "object": "realtime.response", "status": "in_progress"})
        if tools and n == 1:
            await out(type="response.function_call_arguments.done", item_id="i", output_index=0, call_id="c1", name=tools[0]["name"], arguments='{"city":"Paris"}')
        else:
            await out(type="response.output_text.delta", item_id="i", output_index=0, content_index=0, delta="Sunny")
        usage = {"total_tokens": 9, "input_tokens": 5, "output_tokens": 4, "input_token_details": {"text_tokens": 5, "audio_tokens": 0, "cached_tokens": 0}}
        await out(type="response.done", response={"id": rid, "object": "realtime.response", "status": "completed", "usage": usage})


@pytest.mark.skipif(not PORT, reason="PLENUM_SDK_REALTIME_PORT is not set")
def test_session_with_a_tool():
    async def run():
        async with websockets.serve(vendor, "127.0.0.1", PORT):
            client = AsyncOpenAI(base_url=URL + "/v1", api_key=KEY)
            async with client.realtime.connect(model="voice") as c:
                first = await c.recv()
                assert first.type == "session.created" and first.session.model == "voice-up"
                tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
                await c.session.update(session={"type": "realtime", "output_modalities": ["text"], "tools": [tool]})
                assert (await c.recv()).type == "session.updated"
                seen = []
                for _ in range(2):
                    await c.conversation.item.create(item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]})
                    await c.response.create()
                    async for e in c:
                        seen.append(e.type)
                        if e.type == "response.function_call_arguments.done":
                            assert json.loads(e.arguments) == {"city": "Paris"}
                        if e.type == "response.done":
                            assert e.response.usage.output_tokens == 4
                            break
                assert "response.function_call_arguments.done" in seen and "response.output_text.delta" in seen

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.skipif(not PORT, reason="PLENUM_SDK_REALTIME_PORT is not set")
def test_session_with_a_client_secret():
    async def run():
        async with websockets.serve(vendor, "127.0.0.1", PORT):
            server = AsyncOpenAI(base_url=URL + "/v1", api_key=KEY)
            tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
            made = await server.realtime.client_secrets.create(
                expires_after={"anchor": "created_at", "seconds": 60}, session={"type": "realtime", "model": "voice", "tools": [tool]}
            )
            assert made.value.startswith("ek_") and made.session.model == "voice"
            browser = AsyncOpenAI(base_url=URL + "/v1", api_key=made.value)
            async with browser.realtime.connect(model="voice") as c:
                seen = [(await c.recv()).type, (await c.recv()).type]
                assert sorted(seen) == ["session.created", "session.updated"]  # the settings of the secret
                await c.response.create()
                async for e in c:
                    seen.append(e.type)
                    if e.type == "response.done":
                        break
                assert "response.function_call_arguments.done" in seen
            with pytest.raises(AuthenticationError):
                await browser.chat.completions.create(model="voice", messages=[{"role": "user", "content": "x"}])

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.skipif(not PORT, reason="PLENUM_SDK_REALTIME_PORT is not set")
def test_session_without_a_key():
    async def run():
        client = AsyncOpenAI(base_url=URL + "/v1", api_key="nobody")
        with pytest.raises(websockets.exceptions.InvalidStatus) as e:
            async with client.realtime.connect(model="voice"):
                pass
        assert e.value.response.status_code == 401

    asyncio.run(asyncio.wait_for(run(), 20))
