"""The official boto3, unmodified, against a running Plenum: Bedrock's Converse, with a Plenum key as the bearer token.

boto3 sends bearer tokens over TLS alone, so that a small proxy with a certificate of its own stands before Plenum.
"""

import base64
import json
import os
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.parse

import pytest

os.environ.update(
    AWS_BEARER_TOKEN_BEDROCK=os.environ["PLENUM_KEY"], AWS_EC2_METADATA_DISABLED="true", AWS_DEFAULT_REGION="us-east-1"
)

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError, EventStreamError  # noqa: E402

from conftest import GREETING, PDF, PNG, URL, digest  # noqa: E402

HELLO = [{"role": "user", "content": [{"text": "Say hello."}]}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOLS = [{"toolSpec": {"name": "get_weather", "description": "The weather in a city.", "inputSchema": {"json": SCHEMA}}}]
PARIS = {"city": "Paris", "unit": "celsius"}


def copy(src, dst):
    try:
        while data := src.recv(65536):
            dst.sendall(data)
        dst.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Pipe(socketserver.BaseRequestHandler):
    """Passes the bytes of one connection to Plenum and back."""

    def handle(self):
        at = urllib.parse.urlsplit(URL)
        with socket.create_connection((at.hostname, at.port)) as plenum:
            threading.Thread(target=copy, args=(self.request, plenum), daemon=True).start()
            copy(plenum, self.request)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """Returns the address of the proxy and the file with its certificate."""
    home = tmp_path_factory.mktemp("tls")
    cert, key = str(home / "cert.pem"), str(home / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pipe) as server:
        server.daemon_threads = True
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}", cert
        server.shutdown()


@pytest.fixture(scope="session")
def client(endpoint):
    url, cert = endpoint
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30)
    return boto3.client("bedrock-runtime", endpoint_url=url, verify=cert, config=config)


@pytest.fixture
def converse(client):
    def call(model, messages=HELLO, **more):
        return client.converse(modelId=model, messages=messages, **more)

    return call


@pytest.fixture
def streamed(client):
    """Calls converse_stream and puts the answer together as converse gives it."""

    def call(model, messages=HELLO, **more):
        blocks, out = {}, {}
        for event in client.converse_stream(modelId=model, messages=messages, **more)["stream"]:
            ((kind, e),) = event.items()
            if kind == "contentBlockStart":
                blocks[e["contentBlockIndex"]] = {"toolUse": {**e["start"]["toolUse"], "input": ""}}
            elif kind == "contentBlockDelta":
                ((what, d),) = e["delta"].items()
                b = blocks.setdefault(e["contentBlockIndex"], {})
                if what == "text":
                    b["text"] = b.get("text", "") + d
                elif what == "toolUse":
                    b["toolUse"]["input"] += d["input"]
                elif what == "reasoningContent":
                    r = b.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
                    for k, v in d.items():
                        r[k] = r.get(k, "") + v
            elif kind in ("messageStop", "metadata"):
                out.update(e)
        for b in blocks.values():
            if "toolUse" in b:
                b["toolUse"]["input"] = json.loads(b["toolUse"]["input"])
        out["output"] = {"message": {"role": "assistant", "content": [blocks[i] for i in sorted(blocks)]}}
        return out

    return call


@pytest.fixture(params=["whole", "streamed"])
def ask(request, converse, streamed):
    return converse if request.param == "whole" else streamed


def content(r):
    return r["output"]["message"]["content"]


def test_text(ask, side):
    r = ask(side.model("text"), system=[{"text": "Be terse."}], inferenceConfig={"maxTokens": 77, "stopSequences": ["END"]})
    assert content(r) == [{"text": GREETING}] and r["stopReason"] == "end_turn"
    assert (r["usage"]["inputTokens"], r["usage"]["outputTokens"], r["usage"]["totalTokens"]) == (11, 7, 18)
    assert "latencyMs" in r["metrics"]
    seen = side.seen("text")
    assert seen["turns"] == [{"role": "user", "parts": [{"type": "text", "text": "Say hello."}]}]
    assert (seen["system"], seen["max"], seen["stop"]) == (["Be terse."], 77, ["END"])


def test_tool_use_and_its_result(ask, side):
    messages = [{"role": "user", "content": [{"text": "The weather in Paris?"}]}]
    config = {"tools": TOOLS, "toolChoice": {"auto": {}}}
    r = ask(side.model("call"), messages, toolConfig=config)
    assert r["stopReason"] == "tool_use"
    use = content(r)[-1]["toolUse"]
    assert (use["name"], use["input"]) == ("get_weather", PARIS) and use["toolUseId"]
    result = {"toolUseId": use["toolUseId"], "content": [{"json": {"degrees": 20}}], "status": "success"}
    messages += [r["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    r = ask(side.model("call"), messages, toolConfig=config)
    assert r["stopReason"] == "end_turn" and content(r)[0]["text"]


def test_images_and_a_document(converse, side):
    converse(
        side.model("see"),
        [
            {
                "role": "user",
                "content": [
                    {"text": "Compare."},
                    {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}},
                    {"document": {"format": "pdf", "name": "page", "source": {"bytes": base64.b64decode(PDF)}}},
                ],
            }
        ],
    )
    parts = side.seen("see")["turns"][0]["parts"]
    assert [p["type"] for p in parts] == ["text", "image", "document"]
    assert (parts[1]["hash"], parts[2]["hash"]) == (digest(PNG), digest(PDF))


def test_structured_output(ask, side):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    shape = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "person"}}}
    r = ask(side.model("json"), outputConfig={"textFormat": shape})
    assert json.loads(content(r)[0]["text"])["name"] == "Ada Lovelace"
    assert side.seen("json")["format"]["kind"] == "schema"


@pytest.mark.only("anthropic")
def test_thinking_with_tools_goes_round(ask, side):
    messages = list(HELLO)
    more = {
        "toolConfig": {"tools": TOOLS},
        "inferenceConfig": {"maxTokens": 4096},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    }
    r = ask(side.model("think-call"), messages, **more)
    thought = content(r)[0]["reasoningContent"]["reasoningText"]
    assert thought["text"] and thought["signature"]
    result = {"toolUseId": content(r)[-1]["toolUse"]["toolUseId"], "content": [{"text": "42"}]}
    messages += [r["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    r = ask(side.model("think-call"), messages, **more)
    assert content(r)[-1]["text"] == "The lookup says 42."


def test_cached_tokens(ask, side):
    u = ask(side.model("cached"))["usage"]
    assert (u["cacheReadInputTokens"], u["outputTokens"]) == (1000, 9)
    assert u["totalTokens"] == u["inputTokens"] + u.get("cacheWriteInputTokens", 0) + 1000 + 9


def test_length(ask, side):
    assert ask(side.model("length"))["stopReason"] == "max_tokens"


def test_count_tokens(client, side):
    n = client.count_tokens(modelId=side.model("text"), input={"converse": {"messages": HELLO}})["inputTokens"]
    assert n == 42 if side.name == "anthropic" else 0 < n < 100


@pytest.mark.parametrize("status,name", [
    (400, "ValidationException"), (401, "InternalServerException"), (404, "ResourceNotFoundException"),
    (429, "ThrottlingException"), (500, "InternalServerException"),
])
def test_errors_of_the_upstream(ask, client, side, status, name):
    with pytest.raises(ClientError) as e:
        ask(side.model("fail", str(status)))
    assert e.value.response["Error"]["Code"] == name and e.value.response["Error"]["Message"]
    assert isinstance(e.value, getattr(client.exceptions, name))
    assert "sk-vendor" not in str(e.value)


def test_an_error_in_the_middle_of_a_stream(client, side):
    text = ""
    with pytest.raises(EventStreamError):
        for event in client.converse_stream(modelId=side.model("fault"), messages=HELLO)["stream"]:
            text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    assert text == "one two three "


@pytest.mark.only("openai")
def test_a_signature_is_no_key(side):
    c = boto3.session.Session(aws_access_key_id=os.environ["PLENUM_KEY"], aws_secret_access_key="x").client(
        "bedrock-runtime", endpoint_url=URL, config=Config(signature_version="v4", auth_scheme_preference="sigv4", retries={"total_max_attempts": 1})
    )
    with pytest.raises(ClientError) as e:
        c.converse(modelId=side.model("text"), messages=HELLO)
    assert e.value.response["Error"]["Code"] == "UnrecognizedClientException"


# Keys that sign: no TLS is needed, for the secret never travels.
AWS = dict(pair.split("=", 1) for pair in os.environ["PLENUM_AWS"].split())


def signing(**kw):
    keys = {"aws_access_key_id": AWS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": AWS["AWS_SECRET_ACCESS_KEY"], **kw}
    # A bearer token of the environment would be taken first.
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30, auth_scheme_preference="sigv4")
    return boto3.client("bedrock-runtime", region_name="eu-west-1", endpoint_url=URL, config=config, **keys)


def test_signed(side):
    c = signing()
    r = c.converse(modelId=side.model("text"), messages=HELLO)
    assert r["output"]["message"]["content"] == [{"text": GREETING}]
    text = "".join(
        e["contentBlockDelta"]["delta"]["text"]
        for e in c.converse_stream(modelId=side.model("text"), messages=HELLO)["stream"]
        if "contentBlockDelta" in e
    )
    assert text == GREETING
    r = c.converse(modelId=side.model("call"), messages=HELLO, toolConfig={"tools": TOOLS})
    assert r["output"]["message"]["content"][-1]["toolUse"]["input"] == PARIS
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "Grüße"}]})
    r = c.invoke_model(modelId=side.model("text"), body=body)
    assert json.loads(r["body"].read())["content"][0]["text"] == GREETING
    chunks = c.invoke_model_with_response_stream(modelId=side.model("text"), body=body)["body"]
    events = [json.loads(e["chunk"]["bytes"]) for e in chunks]
    assert "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta") == GREETING
    with pytest.raises(ClientError) as e:
        c.converse(modelId=side.model("fail", "429"), messages=HELLO)
    assert e.value.response["Error"]["Code"] == "ThrottlingException"


def test_signed_wrongly(side):
    for keys, want in [
        ({"aws_secret_access_key": "no"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"aws_session_token": "some"}, "UnrecognizedClientException"),
    ]:
        with pytest.raises(ClientError) as e:
            signing(**keys).converse(modelId=side.model("text"), messages=HELLO)
        assert e.value.response["Error"]["Code"] == want
    assert not side.calls("text")
