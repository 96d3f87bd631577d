"""LangChain with the packages of several vendors, unmodified, against a running Plenum."""

import json

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_cohere import ChatCohere
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_xai import ChatXAI
from pydantic import BaseModel, Field

from conftest import GREETING, KEY, PNG, URL, digest

# docs: langchain
MODELS = {
    "openai": lambda m: ChatOpenAI(model=m, base_url=URL + "/v1", api_key=KEY, max_retries=0, stream_usage=True),
    "openai-responses": lambda m: ChatOpenAI(model=m, base_url=URL + "/v1", api_key=KEY, max_retries=0, use_responses_api=True),
    "azure": lambda m: AzureChatOpenAI(azure_deployment=m, azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", max_retries=0),
    "anthropic": lambda m: ChatAnthropic(model=m, base_url=URL, api_key=KEY, max_retries=0),
    "google": lambda m: ChatGoogleGenerativeAI(model=m, base_url=URL, google_api_key=KEY, max_retries=1),
    # The client is boto3's for bedrock-runtime. Of models that it does not know the package supposes that they can do little.
    "aws": lambda m: ChatBedrockConverse(
        model=m, provider="any", client=AWS[0], disable_streaming=False, supports_tool_choice_values=("auto", "any", "tool")
    ),
    "mistral": lambda m: ChatMistralAI(model=m, endpoint=URL + "/v1", api_key=KEY),
    "xai": lambda m: ChatXAI(model=m, xai_api_base=URL + "/v1", api_key=KEY, max_retries=0),
    "cohere": lambda m: ChatCohere(model=m, base_url=URL, cohere_api_key=KEY),
    "ollama": lambda m: ChatOllama(model=m, base_url=URL, client_kwargs={"headers": {"Authorization": f"Bearer {KEY}"}}),
}
# end
AWS = []


@pytest.fixture(autouse=True, scope="session")
def aws(client):
    AWS.append(client)


class Person(BaseModel):
    """A person."""

    name: str
    born: int
    tags: list[str] = Field(description="what the person is known for")


@tool
def get_weather(city: str, unit: str) -> str:
    """The weather in a city."""
    return f"11 degrees in {city}"


def pytest_generate_tests(metafunc):
    """Each package is tested against a model that its own vendor does not have."""
    pairs = [(p, "anthropic" if p in ("openai", "openai-responses", "azure", "mistral", "xai") else "openai") for p in MODELS]
    metafunc.parametrize("package,side", pairs, indirect=["side"])


def text_of(message) -> str:
    return message.text if isinstance(message.text, str) else message.text()


def test_text(package, side):
    m = MODELS[package](side.model("text"))
    r = m.invoke([SystemMessage("Be terse."), HumanMessage("Say hello.")])
    assert text_of(r) == GREETING
    assert (r.usage_metadata["input_tokens"], r.usage_metadata["output_tokens"]) == (11, 7)
    assert side.seen("text")["system"] == ["Be terse."]


def test_text_streamed(package, side):
    chunks = list(MODELS[package](side.model("text")).stream("Say hello."))
    whole = chunks[0]
    for c in chunks[1:]:
        whole += c
    assert text_of(whole) == GREETING and len(chunks) > 3
    if package != "cohere":  # which does not tell the usage of streams
        assert whole.usage_metadata["output_tokens"] == 7


@pytest.mark.parametrize("stream", [False, True])
def test_tools(package, side, stream):
    if stream and package == "cohere":
        pytest.skip("this package adds the pieces of a call up wrongly")
    m = MODELS[package](side.model("calls")).bind_tools([get_weather])
    messages = [HumanMessage("The weather in both cities?")]
    for turn in range(2):
        if stream:
            r = None
            for chunk in m.stream(messages):
                r = chunk if r is None else r + chunk
        else:
            r = m.invoke(messages)
        if turn == 1:
            assert "11 degrees in Paris" in text_of(r)
            return
        assert [(c["name"], c["args"]["city"], c["args"]["unit"]) for c in r.tool_calls] == [
            ("get_weather", "Paris", "celsius"),
            ("get_weather", "Lyon", "celsius"),
        ]
        messages.append(r)
        messages += [ToolMessage(get_weather.invoke(c["args"]), tool_call_id=c["id"], name=c["name"]) for c in r.tool_calls]


def test_structured_output(package, side):
    r = MODELS[package](side.model("json")).with_structured_output(Person).invoke("Who?")
    assert (r.name, r.born, r.tags) == ("Ada Lovelace", 1815, ["math", "engines"])


def test_image(package, side):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    MODELS[package](side.model("see")).invoke([HumanMessage(content=content)])
    assert digest(PNG) in json.dumps(side.seen("see"))


@pytest.mark.parametrize("scenario,args,said", [("nothing-like-this", "", "does not exist"), ("fail", "400", "as you wish")])
def test_error(package, side, scenario, args, said):
    with pytest.raises(Exception, match=said):
        MODELS[package](side.model(scenario, args)).invoke("Say hello.")
