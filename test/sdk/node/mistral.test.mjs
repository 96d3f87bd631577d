// The official @mistralai/mistralai SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { Mistral } from '@mistralai/mistralai';
import { MistralError } from '@mistralai/mistralai/models/errors';
import { ADA, GREETING, KEY, LYON, PARIS, PERSON, SCHEMA, URL, suite, thrown } from './kit.mjs';

const test = suite('mistral');
// docs: mistral
const client = new Mistral({ serverURL: URL, apiKey: KEY });
// end
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA } }];

test('text', async (side) => {
  const messages = [{ role: 'system', content: 'Be terse.' }, ...HELLO];
  const r = await client.chat.complete({ model: side.model('text'), messages, maxTokens: 77, temperature: 0.5, randomSeed: 7 });
  assert.deepEqual([r.choices[0].message.content, r.choices[0].finishReason], [GREETING, 'stop']);
  assert.deepEqual([r.usage.promptTokens, r.usage.completionTokens, r.usage.totalTokens], [11, 7, 18]);
  const seen = await side.seen('text');
  assert.deepEqual([seen.system, seen.max, Number(seen.temperature)], [['Be terse.'], 77, 0.5]);
});

test('text, streamed', async (side) => {
  const chunks = [];
  for await (const { data } of await client.chat.stream({ model: side.model('text'), messages: HELLO })) chunks.push(data);
  assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), GREETING);
  assert.ok(chunks.length > 5);
  assert.ok(chunks.some((c) => c.choices[0]?.finishReason === 'stop'));
});

test('tools and their results', async (side) => {
  const messages = [...HELLO];
  const args = { model: side.model('calls'), messages, tools, toolChoice: 'auto', parallelToolCalls: true };
  const r = await client.chat.complete(args);
  const { message, finishReason } = r.choices[0];
  assert.equal(finishReason, 'tool_calls');
  assert.deepEqual(message.toolCalls.map((c) => JSON.parse(c.function.arguments)), [PARIS, LYON]);
  messages.push(message, ...message.toolCalls.map((c) => ({ role: 'tool', name: c.function.name, toolCallId: c.id, content: '11 degrees' })));
  assert.match((await client.chat.complete(args)).choices[0].message.content, /11 degrees/);
});

test('tools, streamed', async (side) => {
  const calls = [];
  for await (const { data } of await client.chat.stream({ model: side.model('calls'), messages: HELLO, tools })) {
    for (const c of data.choices[0]?.delta.toolCalls ?? []) calls[c.index] = (calls[c.index] ?? '') + c.function.arguments;
  }
  assert.deepEqual(calls.map((c) => JSON.parse(c)), [PARIS, LYON]);
});

test('any tool', async (side) => {
  const r = await client.chat.complete({ model: side.model('obey'), messages: HELLO, tools, toolChoice: 'any' });
  assert.equal(r.choices[0].message.toolCalls.length, 1);
  assert.equal((await side.seen('obey')).choice, 'any');
});

test('structured output', async (side) => {
  const responseFormat = { type: 'json_schema', jsonSchema: { name: 'person', schemaDefinition: PERSON, strict: true } };
  const r = await client.chat.complete({ model: side.model('json'), messages: HELLO, responseFormat });
  assert.deepEqual(JSON.parse(r.choices[0].message.content), ADA);
});

test('an error', async (side) => {
  for (const [model, status] of [[side.model('nothing-like-this'), 404], [side.model('fail', '400'), 400]]) {
    const e = await thrown(MistralError, () => client.chat.complete({ model, messages: HELLO }));
    assert.equal(e.statusCode, status);
    assert.match(e.body, /does not exist|as you wish/);
  }
});
