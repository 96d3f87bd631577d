"""Vector stores at a vendor that is played here, with the official openai SDK: whose they are, and who may search them."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
from openai import OpenAI

from conftest import KEY, URL

PORT = int(os.environ.get("PLENUM_SDK_REALTIME_PORT", "0"))


class Vendor(BaseHTTPRequestHandler):
    """A vendor that makes vector stores, and has one that nobody made here."""

    seen = []

    def say(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def store(self, id):
        counts = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
        return {"id": id, "object": "vector_store", "created_at": 1, "name": "n", "usage_bytes": 0, "file_counts": counts, "status": "completed"}

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(f"{self.command} {self.path}")
        parts = self.path.split("?")[0].split("/")
        if len(parts) == 3 and self.command == "POST":
            return self.say(self.store("vs_1Mine"))
        if len(parts) == 3:
            return self.say({"object": "list", "data": [self.store("vs_1Mine"), self.store("vs_2Foreign")], "first_id": "vs_1Mine", "last_id": "vs_2Foreign", "has_more": False})
        if self.command == "DELETE":
            return self.say({"id": parts[3], "object": "vector_store.deleted", "deleted": True})
        if parts[-1] == "search":
            return self.say({"object": "vector_store.search_results.page", "search_query": ["q"], "data": [], "has_more": False, "next_page": None})
        return self.say(self.store(parts[3]))

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.mark.skipif(not PORT, reason="PLENUM_SDK_REALTIME_PORT is not set")
def test_vector_stores():
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=30) as c:
            made = c.vector_stores.create(name="n")
            assert made.id == "vs_1Mine"
            assert c.vector_stores.retrieve(made.id).status == "completed"
            assert [s.id for s in c.vector_stores.list()] == ["vs_1Mine"]
            assert list(c.vector_stores.search(made.id, query="q")) == []
            with pytest.raises(openai.NotFoundError):
                c.vector_stores.retrieve("vs_2Foreign")
            with pytest.raises(openai.NotFoundError) as e:
                c.responses.create(model="voice", input="q", tools=[{"type": "file_search", "vector_store_ids": ["vs_2Foreign"]}])
            assert e.value.param == "tools[].vector_store_ids"
            assert c.vector_stores.delete(made.id).deleted
            with pytest.raises(openai.NotFoundError):
                c.vector_stores.retrieve(made.id)
        assert not [s for s in Vendor.seen if "Foreign" in s or "responses" in s]
    finally:
        server.shutdown()
        server.server_close()
