// The client of the first version in the official cohere-ai SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { CohereClient, CohereError } from 'cohere-ai';
import { ADA, GREETING, KEY, LYON, PARIS, PERSON, URL, suite, thrown } from './kit.mjs';

const test = suite('cohere-v1');
// docs: cohere-v1
const client = new CohereClient({ environment: `${URL}/cohere`, token: KEY });
// end
const once = { maxRetries: 0 };
const tools = [
  {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameterDefinitions: { city: { type: 'str', required: true }, unit: { type: 'str', required: true } },
  },
];

test('text', async (side) => {
  const chatHistory = [{ role: 'USER', message: 'I am Ada.' }, { role: 'CHATBOT', message: 'Hello.' }];
  const r = await client.chat({ model: side.model('text'), message: 'Say hello.', preamble: 'Be terse.', chatHistory, maxTokens: 77 }, once);
  assert.deepEqual([r.text, r.finishReason, r.chatHistory.length], [GREETING, 'COMPLETE', 4]);
  assert.deepEqual([r.meta.billedUnits.inputTokens, r.meta.billedUnits.outputTokens], [11, 7]);
  const seen = await side.seen('text');
  assert.deepEqual([seen.system, seen.max], [['Be terse.'], 77]);
});

test('text, streamed', async (side) => {
  let text = '';
  let end;
  for await (const ev of await client.chatStream({ model: side.model('text'), message: 'Say hello.' }, once)) {
    if (ev.eventType === 'text-generation') text += ev.text;
    end = ev;
  }
  assert.deepEqual([text, end.eventType, end.finishReason, end.response.text], [GREETING, 'stream-end', 'COMPLETE', GREETING]);
});

test('tools and their results', async (side) => {
  const r = await client.chat({ model: side.model('calls'), message: 'The weather in both cities?', tools }, once);
  assert.deepEqual(r.toolCalls.map((c) => c.parameters), [PARIS, LYON]);
  const toolResults = r.toolCalls.map((call) => ({ call, outputs: [{ weather: '11 degrees' }] }));
  const final = await client.chat({ model: side.model('calls'), message: '', chatHistory: r.chatHistory, toolResults, tools }, once);
  assert.match(final.text, /11 degrees/);
});

test('tools, streamed', async (side) => {
  let calls;
  for await (const ev of await client.chatStream({ model: side.model('calls'), message: 'The weather?', tools }, once)) {
    if (ev.eventType === 'tool-calls-generation') calls = ev.toolCalls;
  }
  assert.deepEqual(calls.map((c) => c.parameters), [PARIS, LYON]);
});

test('structured output', async (side) => {
  const responseFormat = { type: 'json_object', schema: PERSON };
  const r = await client.chat({ model: side.model('json'), message: 'Who?', responseFormat }, once);
  assert.deepEqual(JSON.parse(r.text), ADA);
});

test('generate', async (side) => {
  const r = await client.generate({ model: side.model('text'), prompt: 'Say hello.' }, once);
  assert.equal(r.generations[0].text, GREETING);
});

test('an error', async (side) => {
  const e = await thrown(CohereError, () => client.chat({ model: side.model('nothing-like-this'), message: 'Hi' }, once));
  assert.equal(e.statusCode, 404);
  assert.match(e.message, /does not exist/);
});
