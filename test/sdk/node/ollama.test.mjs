// The official ollama SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { ADA, GREETING, KEY, LYON, PARIS, PNG, SCHEMA, URL, digest, suite, thrown } from './kit.mjs';

const test = suite('ollama');
const client = new Ollama({ host: URL, headers: { Authorization: `Bearer ${KEY}` } });
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const WEATHER = { type: 'function', function: { name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA } };
const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, born: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['name', 'born', 'tags'],
  additionalProperties: false,
};

test('text', async (side) => {
  const r = await client.chat({ model: side.model('text'), messages: HELLO });
  assert.equal(r.message.content, GREETING);
  assert.deepEqual([r.done, r.done_reason, r.prompt_eval_count, r.eval_count], [true, 'stop', 11, 7]);
});

test('text, streamed', async (side) => {
  const chunks = [];
  for await (const c of await client.chat({ model: side.model('text'), messages: HELLO, stream: true })) chunks.push(c);
  assert.equal(chunks.map((c) => c.message.content).join(''), GREETING);
  assert.ok(chunks.length > 5 && chunks.at(-1).done && chunks.at(-1).eval_count === 7);
});

test('generate', async (side) => {
  const r = await client.generate({ model: side.model('text'), prompt: 'Say hello.' });
  assert.equal(r.response, GREETING);
});

test('tools and their results', async (side) => {
  const model = side.model('calls');
  const messages = [{ role: 'user', content: 'The weather in both cities?' }];
  const r = await client.chat({ model, messages, tools: [WEATHER] });
  assert.deepEqual(r.message.tool_calls.map((c) => c.function.arguments), [PARIS, LYON]);
  messages.push(r.message, ...r.message.tool_calls.map((c) => ({ role: 'tool', content: '11 degrees', tool_name: c.function.name })));
  const final = await client.chat({ model, messages, tools: [WEATHER] });
  assert.match(final.message.content, /11 degrees/);
});

test('structured output', async (side) => {
  const r = await client.chat({ model: side.model('json'), messages: HELLO, format: PERSON });
  assert.deepEqual(JSON.parse(r.message.content), ADA);
});

test('an image', async (side) => {
  await client.chat({ model: side.model('see'), messages: [{ role: 'user', content: 'What is it?', images: [PNG] }] });
  assert.ok(JSON.stringify(await side.seen('see')).includes(digest(PNG)));
});

test('an error', async (side) => {
  const e = await thrown(Error, () => client.chat({ model: side.model('nothing-like-this'), messages: HELLO }));
  assert.equal(e.status_code, 404);
  assert.match(e.message, /does not exist/);
});
