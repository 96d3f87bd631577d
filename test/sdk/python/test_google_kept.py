"""The official google-genai SDK, unmodified: what Google keeps for its callers, at a vendor that is played here."""

import http.server
import io
import json
import os
import threading

import pytest
from google import genai
from google.genai import errors, types

from conftest import KEY, URL

PORT = int(os.environ.get("PLENUM_SDK_REALTIME_PORT", "0"))
pytestmark = pytest.mark.skipif(not PORT, reason="PLENUM_SDK_REALTIME_PORT is not set")
VENDOR = os.environ.get("VENDOR_KEY", "")


class Google(http.server.BaseHTTPRequestHandler):
    """Google's files and cached contents, as far as these tests go."""

    files, asked, sent = {}, [], b""

    def log_message(self, *_):
        pass

    def say(self, body, **headers):
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(200)
        for k, v in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        path = self.path.split("?")[0]
        Google.asked.append((self.command, self.path, self.headers.get("X-Goog-Api-Key")))
        if path.startswith("/upload"):
            command = self.headers.get("X-Goog-Upload-Command", "")
            if command == "start":
                Google.about, Google.sent = json.loads(self.body() or b"{}")["file"], b""
                at = f"http://127.0.0.1:{PORT}{path}?upload_id=up-1&upload_protocol=resumable"
                return self.say({}, X_Goog_Upload_URL=at, X_Goog_Upload_Status="active")
            Google.sent += self.body()
            if "finalize" not in command:
                return self.say({}, X_Goog_Upload_Status="active")
            f = {"name": "files/abc1", "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc1", "state": "ACTIVE",
                 "mimeType": Google.about.get("mimeType", "text/plain"), "sizeBytes": str(len(Google.sent))}
            Google.files[f["name"]] = f
            return self.say({"file": f}, X_Goog_Upload_Status="final")
        if path in ("/v1beta/files", "/v1/files"):
            return self.say({"files": [*Google.files.values(), {"name": "files/foreign"}]})
        if path in ("/v1beta/cachedContents", "/v1/cachedContents"):
            asked = json.loads(self.body())
            return self.say({"name": "cachedContents/c1", "model": asked["model"], "usageMetadata": {"totalTokenCount": 7}})
        if self.command == "DELETE":
            Google.files.pop("/".join(path.split("/")[2:]), None)
            return self.say({})
        return self.say(Google.files.get("/".join(path.split("/")[2:]), {"name": "/".join(path.split("/")[2:])}))

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any


@pytest.fixture
def google():
    Google.files, Google.asked, Google.sent = {}, [], b""
    http.server.ThreadingHTTPServer.allow_reuse_address = True
    with http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Google) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Google
        server.shutdown()


@pytest.fixture
def client():
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=30_000, headers={"plenum-deployment": "gem"}))


def test_files(google, client):
    data = os.urandom(9 << 20)  # in two pieces
    f = client.files.upload(file=io.BytesIO(data), config={"mime_type": "application/octet-stream"})
    assert f.name == "files/abc1" and f.size_bytes == len(data) and google.sent == data
    assert client.files.get(name=f.name).uri == f.uri
    assert [x.name for x in client.files.list()] == [f.name]  # and not another's
    client.files.delete(name=f.name)
    with pytest.raises(errors.ClientError) as e:
        client.files.get(name=f.name)
    assert e.value.code == 404
    assert google.asked and all(key == VENDOR for _, _, key in google.asked)
    assert not any(KEY in path or "plenum" in path for _, path, _ in google.asked)


def test_cached_contents(google, client):
    c = client.caches.create(model="gem", config={"contents": [types.Content(role="user", parts=[types.Part(text="long")])]})
    assert c.name == "cachedContents/c1"
    assert client.caches.get(name=c.name).name == c.name
    client.caches.delete(name=c.name)
    with pytest.raises(errors.ClientError):
        client.caches.get(name="cachedContents/other")
