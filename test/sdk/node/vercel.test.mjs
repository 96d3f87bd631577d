// The Vercel AI SDK with the packages of several vendors, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createAzure } from '@ai-sdk/azure';
import { createCohere } from '@ai-sdk/cohere';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createVertex } from '@ai-sdk/google-vertex';
import { createMistral } from '@ai-sdk/mistral';
import { createOpenAI } from '@ai-sdk/openai';
import { createXai } from '@ai-sdk/xai';
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { ADA, GREETING, KEY, LYON, PARIS, PNG, URL, digest, suite, thrown } from './kit.mjs';

// docs: vercel
const openai = createOpenAI({ baseURL: `${URL}/v1`, apiKey: KEY });
const xai = createXai({ baseURL: `${URL}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${URL}/v1`, apiKey: KEY });
const google = createGoogleGenerativeAI({ baseURL: `${URL}/v1beta`, apiKey: KEY });
const vertex = createVertex({ baseURL: `${URL}/v1/publishers/google`, apiKey: KEY });
const bedrock = createAmazonBedrock({ baseURL: URL, region: 'us-east-1', apiKey: KEY });
const azure = createAzure({ baseURL: `${URL}/openai`, apiKey: KEY });
const mistral = createMistral({ baseURL: `${URL}/v1`, apiKey: KEY });
const cohere = createCohere({ baseURL: `${URL}/v2`, apiKey: KEY });
// end

const packages = {
  'openai-chat': (m) => openai.chat(m),
  'openai-responses': (m) => openai.responses(m),
  'xai-chat': (m) => xai.chat(m),
  'xai-responses': (m) => xai.responses(m),
  anthropic: (m) => anthropic(m),
  google: (m) => google(`models/${m}`), // which this package needs before a name with a slash
  vertex: (m) => vertex(`models/${m}`),
  bedrock: (m) => bedrock(m),
  'azure-chat': (m) => azure.chat(m),
  mistral: (m) => mistral(m),
  cohere: (m) => cohere(m),
};
const once = { maxRetries: 0 };
const person = z.object({ name: z.string(), born: z.int(), tags: z.array(z.string()) });

// Unless told otherwise this package asks for a schema by way of a tool of the models that it does not know.
const providerOptions = { anthropic: { structuredOutputMode: 'outputFormat' } };

/** A tool that remembers what it was asked. */
function weather() {
  const asked = [];
  const get_weather = tool({
    description: 'The weather in a city.',
    inputSchema: z.object({ city: z.string(), unit: z.enum(['celsius', 'fahrenheit']) }),
    execute: async (input) => (asked.push(input), `11 degrees in ${input.city}`),
  });
  return { asked, tools: { get_weather } };
}

for (const [name, model] of Object.entries(packages)) {
  const test = suite(`ai/${name}`);

  test('text', async (side) => {
    const r = await generateText({ ...once, model: model(side.model('text')), system: 'Be terse.', prompt: 'Say hello.', maxOutputTokens: 77 });
    assert.deepEqual([r.text, r.finishReason], [GREETING, 'stop']);
    assert.deepEqual([r.usage.inputTokens, r.usage.outputTokens], [11, 7]);
    assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
  });

  test('text, streamed', async (side) => {
    const r = streamText({ ...once, model: model(side.model('text')), prompt: 'Say hello.' });
    const deltas = [];
    for await (const d of r.textStream) deltas.push(d);
    assert.equal(deltas.join(''), GREETING);
    assert.ok(deltas.length > 3);
    assert.equal(await r.finishReason, 'stop');
    assert.equal((await r.usage).outputTokens, 7);
  });

  for (const how of ['whole', 'streamed']) {
    test(`tools and their results, ${how}`, async (side) => {
      const { asked, tools } = weather();
      const faults = [];
      const args = { ...once, model: model(side.model('calls')), prompt: 'The weather in both cities?', tools, stopWhen: stepCountIs(3) };
      const r = how === 'whole' ? await generateText(args) : streamText({ ...args, onError: ({ error }) => faults.push(error) });
      if (how === 'streamed') await r.consumeStream();
      assert.deepEqual(faults, []);
      assert.match(await r.text, /11 degrees in Paris/);
      assert.deepEqual(asked, [PARIS, LYON]);
      assert.deepEqual((await r.steps).map((s) => s.finishReason), ['tool-calls', 'stop']);
    });
  }

  test('structured output', async (side) => {
    const r = await generateText({ ...once, model: model(side.model('json')), prompt: 'Who?', output: Output.object({ schema: person }), providerOptions });
    assert.deepEqual(r.output, ADA);
  });

  // Mistral's package asks for whole answers without its name, so that words of its own (a bare URL) would reach OpenAI.
  const see = name === 'mistral' ? (...of) => test.only('anthropic', ...of) : test;
  see('an image', async (side) => {
    const content = [{ type: 'text', text: 'What is it?' }, { type: 'image', image: Buffer.from(PNG, 'base64'), mediaType: 'image/png' }];
    await generateText({ ...once, model: model(side.model('see')), messages: [{ role: 'user', content }] });
    assert.ok(JSON.stringify(await side.seen('see')).includes(digest(PNG)));
  });

  test('errors', async (side) => {
    for (const [id, status] of [[side.model('nothing-like-this'), 404], [side.model('fail', '429'), 429]]) {
      const e = await thrown(Error, () => generateText({ ...once, model: model(id), prompt: 'Say hello.' }));
      assert.ok(APICallError.isInstance(e), String(e)); // each package brings a class of its own
      assert.equal(e.statusCode, status);
      assert.match(name === 'mistral' ? e.responseBody : e.message, /does not exist|as you wish/);
    }
  });
}
