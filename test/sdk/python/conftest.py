"""What the suites of both SDKs need: a model's name for each test, and a look at what reached the upstream."""

import hashlib
import json
import os
import uuid
import urllib.parse
import urllib.request

import pytest

URL = os.environ["PLENUM_URL"]
KEY = os.environ["PLENUM_KEY"]
CONTROL = os.environ["PLENUM_SDK_CONTROL"]

# A PNG of one pixel and a PDF of one empty page: real files, made for these tests.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
PDF = (
    "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0Nv"
    "dW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOSA5XT4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290"
    "IDEgMCBSPj4KJSVFT0YK"
)
GREETING = "Grüße, 世界! 👋🏽 All is well."


def digest(b64: str) -> str:
    import base64

    return hashlib.sha256(base64.b64decode(b64)).hexdigest()[:16]


class Side:
    """One upstream as a test sees it: how to call it, and what arrived there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.short = {"openai": "oa", "anthropic": "an"}[name]
        self.mark = uuid.uuid4().hex[:8]

    def model(self, scenario: str, args: str = "", retry: bool = False) -> str:
        """The name to call. With retry the gateway tries again by itself; without, only the SDK does."""
        return f"{self.short}{'-retry' if retry else ''}/{self.upstream(scenario, args)}"

    def upstream(self, scenario: str, args: str = "") -> str:
        return f"{scenario}:{args + '-' if args else ''}{self.mark}"

    def calls(self, scenario: str, args: str = "", wait: str = "") -> list:
        q = urllib.parse.urlencode({"model": self.upstream(scenario, args), "wait": wait})
        with urllib.request.urlopen(f"{CONTROL}/calls?{q}", timeout=10) as r:
            return json.load(r)

    def seen(self, scenario: str, args: str = "") -> dict:
        """What the upstream understood of the last request, as both vendors' requests are put."""
        calls = self.calls(scenario, args)
        assert calls, "nothing reached the upstream"
        assert not calls[-1].get("refused"), calls[-1]["refused"]
        return calls[-1]["seen"]


def pytest_generate_tests(metafunc):
    if "side" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("only")
    names = only.args if only else ("openai", "anthropic")
    metafunc.parametrize("side", names, indirect=True)


@pytest.fixture
def side(request) -> Side:
    return Side(request.param)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Writes each outcome down for the matrix that run.sh prints."""
    report = (yield).get_result()
    path = os.environ.get("PLENUM_SDK_RESULTS")
    if not path or not (report.when == "call" or report.failed):
        return
    sdk = item.path.stem.removeprefix("test_")
    side = item.callspec.params.get("side", "plenum") if hasattr(item, "callspec") else "plenum"
    with open(path, "a", encoding="utf-8") as f:
        row = {"language": "python", "sdk": sdk, "upstream": side, "test": item.originalname, "outcome": report.outcome}
        f.write(json.dumps(row) + "\n")
