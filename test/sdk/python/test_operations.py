"""The official SDKs' operations besides chat, unmodified, against a running Plenum in front of an OpenAI-like host."""

import base64
import io
import urllib.parse

import cohere
import ollama
import openai
import pytest
import xai_sdk

from conftest import KEY, PNG, URL

VECTOR = [0.5, -1.25, 5.0]


@pytest.fixture(scope="session")
def oa():
    return openai.OpenAI(api_key=KEY, base_url=URL + "/v1", max_retries=0, timeout=30)


@pytest.fixture(scope="session")
def co():
    return cohere.ClientV2(api_key=KEY, base_url=URL, timeout=30)


def test_embeddings(oa):
    r = oa.embeddings.create(model="other/e", input=["alpha", "omega"])  # packed, as this SDK asks by itself
    assert [d.embedding for d in r.data] == [VECTOR, VECTOR] and r.usage.total_tokens == 7
    plain = oa.embeddings.create(model="other/e", input="alpha", encoding_format="float")
    assert plain.data[0].embedding == VECTOR
    raw = oa.embeddings.with_raw_response.create(model="other/e", input="alpha")
    assert raw.headers["plenum-cost-usd"] == "0.000021"


def test_embeddings_azure():
    client = openai.AzureOpenAI(api_key=KEY, azure_endpoint=URL, api_version="2024-10-21", max_retries=0)
    assert client.embeddings.create(model="embedder", input="alpha").data[0].embedding == VECTOR


def test_embeddings_of_other_dialects(co):
    r = co.embed(model="other/e", texts=["alpha"], input_type="search_query", embedding_types=["float"])
    assert r.embeddings.float_ == [VECTOR] and r.meta.billed_units.input_tokens == 7
    o = ollama.Client(host=URL, headers={"Authorization": f"Bearer {KEY}"})
    assert [list(e) for e in o.embed(model="other/e", input=["alpha"]).embeddings] == [VECTOR]
    assert list(o.embeddings(model="other/e", prompt="alpha").embedding) == VECTOR


def test_rerank(co):
    r = co.rerank(model="other/r", query="ruby", documents=["ruby is red", "sky", "a ruby"], top_n=2)
    assert [(x.index, x.relevance_score) for x in r.results] == [(0, 0.75), (2, 0.75)]


def test_moderations(oa):
    r = oa.moderations.create(model="other/m", input="I hate it")
    assert r.results[0].flagged and r.results[0].categories.hate


def test_images(oa):
    r = oa.images.generate(model="other/i", prompt="A dot", n=2)
    assert [d.b64_json for d in r.data] == [PNG, PNG] and r.usage.output_tokens == 9
    kinds = [e.type for e in oa.images.generate(model="other/i", prompt="A dot", stream=True, partial_images=1)]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]

    edited = oa.images.edit(model="other/i", prompt="Red", image=("dot.png", base64.b64decode(PNG)))
    assert edited.data[0].b64_json == PNG


def test_speech(oa):
    sound = oa.audio.speech.create(model="other/s", input="Grüße", voice="alloy", response_format="wav")
    assert sound.content == b"RIFF\x00\xff" + "Grüße".encode() and sound.response.headers["content-type"] == "audio/wav"


def test_transcriptions(oa):
    def sound():
        return io.BytesIO(b"\x00\r\n--\xff" * 1000)

    r = oa.audio.transcriptions.create(model="other/t", file=("Ton ä.wav", sound()))
    assert r.text == "6000 bytes for t" and r.usage.seconds == 3
    assert oa.audio.transcriptions.create(model="other/t", file=("a.wav", sound()), response_format="text").strip() == "6000 bytes for t"
    events = list(oa.audio.transcriptions.create(model="other/t", file=("a.wav", sound()), stream=True))
    assert [e.type for e in events] == ["transcript.text.delta", "transcript.text.done"]
    assert oa.audio.translations.create(model="other/t", file=("a.wav", sound())).text == "6000 bytes for t"


def test_what_a_host_lacks(oa, co):
    with pytest.raises(openai.NotFoundError, match="Anthropic has no embeddings"):
        oa.embeddings.create(model="an/e", input="alpha")
    with pytest.raises(cohere.NotFoundError, match="OpenAI has no reranking"):
        co.rerank(model="oa/r", query="q", documents=["a"])


def test_images_of_xai():
    client = xai_sdk.Client(api_key=KEY, api_host=urllib.parse.urlparse(URL).netloc, use_insecure_channel=True, timeout=30)
    try:
        one = client.image.sample(prompt="A dot", model="other/i", image_format="base64", aspect_ratio="1:1")
        assert one.image == base64.b64decode(PNG) and one.respect_moderation
        many = client.image.sample_batch(prompt="A dot", model="other/i", n=2, image_format="url")
        assert [m.url for m in many] == ["https://images.example.com/0.png", "https://images.example.com/1.png"]
        changed = client.image.sample(prompt="Red", model="other/i", image_url="data:image/png;base64," + PNG, image_format="base64")
        assert changed.image == base64.b64decode(PNG)
    finally:
        client.close()
