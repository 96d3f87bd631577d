"""LangChain has pins of its own, so that it is tested apart; what tests need is that of the SDKs beside it."""

import importlib.util
import pathlib


def beside(name: str):
    spec = importlib.util.spec_from_file_location("beside_" + name, pathlib.Path(__file__).parent.parent / "python" / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_sdk = beside("conftest")
for _name in ("GREETING", "KEY", "PDF", "PNG", "URL", "CONTROL", "Side", "digest", "side", "pytest_runtest_makereport"):
    globals()[_name] = getattr(_sdk, _name)
_aws = beside("test_boto3")
endpoint, client = _aws.endpoint, _aws.client
