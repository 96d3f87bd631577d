// The official @azure-rest/ai-inference SDK, and the openai SDK's client for Azure, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import ModelClient, { isUnexpected } from '@azure-rest/ai-inference';
import { AzureKeyCredential } from '@azure/core-auth';
import { createSseStream } from '@azure/core-sse';
import { AzureOpenAI, NotFoundError } from 'openai';
import { ADA, GREETING, KEY, LYON, PARIS, PERSON, SCHEMA, URL, suite, thrown } from './kit.mjs';

const test = suite('azure');
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA } }];
const format = { type: 'json_schema', json_schema: { name: 'person', schema: PERSON, strict: true } };

// docs: azure-rest
const inference = ModelClient(`${URL}/models`, new AzureKeyCredential(KEY), { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } });
// end

async function complete(body) {
  const r = await inference.path('/chat/completions').post({ body });
  assert.ok(!isUnexpected(r), JSON.stringify(r.body));
  return r.body;
}

test('inference: text', async (side) => {
  const r = await complete({ model: side.model('text'), messages: [{ role: 'system', content: 'Be terse.' }, ...HELLO], max_tokens: 77 });
  assert.equal(r.choices[0].message.content, GREETING);
  assert.deepEqual([r.choices[0].finish_reason, r.usage.prompt_tokens, r.usage.completion_tokens], ['stop', 11, 7]);
  const seen = await side.seen('text');
  assert.deepEqual([seen.system, seen.max], [['Be terse.'], 77]);
});

test('inference: text, streamed', async (side) => {
  const r = await inference.path('/chat/completions').post({ body: { model: side.model('text'), messages: HELLO, stream: true } }).asNodeStream();
  assert.equal(r.status, '200');
  let text = '';
  let finish;
  let n = 0;
  for await (const event of createSseStream(r.body)) {
    if (event.data === '[DONE]') break;
    n++;
    for (const c of JSON.parse(event.data).choices) {
      text += c.delta?.content ?? '';
      finish = c.finish_reason ?? finish;
    }
  }
  assert.deepEqual([text, finish], [GREETING, 'stop']);
  assert.ok(n > 5);
});

test('inference: tools and their results', async (side) => {
  const messages = [...HELLO];
  const { message } = (await complete({ model: side.model('calls'), messages, tools })).choices[0];
  assert.deepEqual(message.tool_calls.map((c) => JSON.parse(c.function.arguments)), [PARIS, LYON]);
  messages.push(message, ...message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: '11 degrees' })));
  assert.match((await complete({ model: side.model('calls'), messages, tools })).choices[0].message.content, /11 degrees/);
});

test('inference: structured output', async (side) => {
  const r = await complete({ model: side.model('json'), messages: HELLO, response_format: format });
  assert.deepEqual(JSON.parse(r.choices[0].message.content), ADA);
});

test('inference: errors', async (side) => {
  for (const [model, status, code] of [[side.model('nothing-like-this'), '404', /not_?found/i], [side.model('fail', '429'), '429', /rate/i]]) {
    const r = await inference.path('/chat/completions').post({ body: { model, messages: HELLO } });
    assert.ok(isUnexpected(r));
    assert.equal(r.status, status);
    assert.ok(r.body.error.message);
    assert.match(String(r.body.error.code ?? r.body.error.type), code);
  }
});

// The client for Azure puts the deployment into the path, escaped.
// docs: azure-openai
const azure = new AzureOpenAI({ endpoint: URL, apiKey: KEY, apiVersion: '2024-10-21', maxRetries: 0 });
// end

test('AzureOpenAI: text', async (side) => {
  const r = await azure.chat.completions.create({ model: side.model('text'), messages: HELLO });
  assert.equal(r.choices[0].message.content, GREETING);
  assert.equal(r.usage.total_tokens, 18);
});

test('AzureOpenAI: text, streamed', async (side) => {
  const chunks = [];
  for await (const c of azure.chat.completions.stream({ model: side.model('text'), messages: HELLO })) chunks.push(c);
  assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), GREETING);
  assert.ok(chunks.length > 5);
});

test('AzureOpenAI: tools and their results', async (side) => {
  const messages = [...HELLO];
  const model = side.model('calls');
  const { message } = (await azure.chat.completions.create({ model, messages, tools })).choices[0];
  assert.deepEqual(message.tool_calls.map((c) => JSON.parse(c.function.arguments)), [PARIS, LYON]);
  messages.push(message, ...message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: '11 degrees' })));
  assert.match((await azure.chat.completions.create({ model, messages, tools })).choices[0].message.content, /11 degrees/);
});

test('AzureOpenAI: structured output', async (side) => {
  const r = await azure.chat.completions.parse({ model: side.model('json'), messages: HELLO, response_format: format });
  assert.deepEqual(JSON.parse(r.choices[0].message.content), ADA);
});

test('AzureOpenAI: the Responses API', async (side) => {
  const r = await azure.responses.create({ model: side.model('text'), input: 'Say hello.' });
  assert.equal(r.output_text, GREETING);
});

test('AzureOpenAI: an error', async (side) => {
  const e = await thrown(NotFoundError, () => azure.chat.completions.create({ model: side.model('nothing-like-this'), messages: HELLO }));
  assert.match(e.message, /does not exist/);
});
