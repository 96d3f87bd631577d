// LangChain with the packages of several vendors, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { ChatAnthropic } from '@langchain/anthropic';
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatGoogleGenerativeAI } from '@langchain/google-genai';
import { ChatOllama } from '@langchain/ollama';
import { ChatOpenAI } from '@langchain/openai';
import { ChatXAI } from '@langchain/xai';
import { z } from 'zod';
import { ADA, GREETING, KEY, LYON, PARIS, URL, suite, thrown } from './kit.mjs';

// docs: langchain
const packages = {
  openai: (m) => new ChatOpenAI({ model: m, apiKey: KEY, configuration: { baseURL: `${URL}/v1` }, maxRetries: 0 }),
  'openai-responses': (m) => new ChatOpenAI({ model: m, apiKey: KEY, configuration: { baseURL: `${URL}/v1` }, maxRetries: 0, useResponsesApi: true }),
  xai: (m) => new ChatXAI({ model: m, apiKey: KEY, baseURL: `${URL}/v1`, maxRetries: 0 }),
  anthropic: (m) => new ChatAnthropic({ model: m, apiKey: KEY, anthropicApiUrl: URL, maxTokens: 500, maxRetries: 0 }),
  google: (m) => new ChatGoogleGenerativeAI({ model: m, apiKey: KEY, baseUrl: URL, maxRetries: 0 }),
  ollama: (m) => new ChatOllama({ model: m, baseUrl: URL, headers: { Authorization: `Bearer ${KEY}` }, maxRetries: 0 }),
};
// end

const text = (m) => (typeof m.content === 'string' ? m.content : m.content.filter((p) => p.type === 'text').map((p) => p.text).join(''));
const get_weather = tool(async ({ city }) => `11 degrees in ${city}`, {
  name: 'get_weather',
  description: 'The weather in a city.',
  schema: z.object({ city: z.string(), unit: z.enum(['celsius', 'fahrenheit']) }),
});
const person = z.object({ name: z.string(), born: z.int(), tags: z.array(z.string()) });

for (const [name, model] of Object.entries(packages)) {
  const test = suite(`langchain/${name}`);

  test('text', async (side) => {
    const r = await model(side.model('text')).invoke([new SystemMessage('Be terse.'), new HumanMessage('Say hello.')]);
    assert.equal(text(r), GREETING);
    assert.deepEqual([r.usage_metadata.input_tokens, r.usage_metadata.output_tokens], [11, 7]);
    assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
  });

  test('text, streamed', async (side) => {
    const pieces = [];
    for await (const c of await model(side.model('text')).stream('Say hello.')) pieces.push(text(c));
    assert.equal(pieces.join(''), GREETING);
    assert.ok(pieces.filter(Boolean).length > 3);
  });

  test('tools and their results', async (side) => {
    const bound = model(side.model('calls')).bindTools([get_weather]);
    const history = [new HumanMessage('The weather in both cities?')];
    const first = await bound.invoke(history);
    assert.deepEqual(first.tool_calls.map((c) => c.args), [PARIS, LYON]);
    history.push(first);
    for (const call of first.tool_calls) {
      history.push(new ToolMessage({ content: await get_weather.invoke(call.args), tool_call_id: call.id, name: call.name }));
    }
    assert.match(text(await bound.invoke(history)), /11 degrees in Paris/);
  });

  test('structured output', async (side) => {
    const r = await model(side.model('json')).withStructuredOutput(person, { name: 'person' }).invoke('Who?');
    assert.deepEqual(r, ADA);
  });

  test('errors', async (side) => {
    const e = await thrown(Error, () => model(side.model('nothing-like-this')).invoke('Say hello.'));
    assert.match(String(e.message), /does not exist|nothing-like-this/);
  });
}
