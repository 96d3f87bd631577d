"""Frameworks have pins of their own, so that they are tested apart; what tests need is that of the SDKs beside them."""

import importlib.util
import os
import pathlib

# Nothing but Plenum is to be called.
os.environ.update(
    OPENAI_AGENTS_DISABLE_TRACING="1", LITELLM_LOCAL_MODEL_COST_MAP="True", DISABLE_AIOHTTP_TRANSPORT="True", OTEL_SDK_DISABLED="true"
)

_path = pathlib.Path(__file__).parent.parent / "python" / "conftest.py"
_spec = importlib.util.spec_from_file_location("beside_conftest", _path)
_sdk = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_sdk)
for _name in ("GREETING", "KEY", "PNG", "URL", "Side", "digest", "side", "pytest_runtest_makereport"):
    globals()[_name] = getattr(_sdk, _name)


def pytest_generate_tests(metafunc):
    """Where a framework speaks several vendors' dialects, each is tested against a model that its own vendor does not have."""
    if "provider" in metafunc.fixturenames:
        ours = ("anthropic", "gemini", "google", "ollama")
        pairs = [(p, "openai" if p in ours else "anthropic") for p in metafunc.module.MODELS]
        metafunc.parametrize("provider,side", pairs, indirect=["side"])
    elif "side" in metafunc.fixturenames:
        metafunc.parametrize("side", ("openai", "anthropic"), indirect=True)


def get_weather(city: str, unit: str) -> str:
    """The weather in a city.

    Args:
        city: where
        unit: celsius or fahrenheit
    """
    return f"11 degrees in {city}"
