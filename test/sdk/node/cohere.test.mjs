// The official cohere-ai SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { CohereClientV2, CohereError } from 'cohere-ai';
import { ADA, GREETING, KEY, LYON, PARIS, PERSON, SCHEMA, URL, suite, thrown } from './kit.mjs';

const test = suite('cohere');
// docs: cohere
const client = new CohereClientV2({ environment: URL, token: KEY });
// end
const once = { maxRetries: 0 };
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA } }];

test('text', async (side) => {
  const messages = [{ role: 'system', content: 'Be terse.' }, ...HELLO];
  const r = await client.chat({ model: side.model('text'), messages, maxTokens: 77 }, once);
  assert.deepEqual([r.message.content[0].text, r.finishReason], [GREETING, 'COMPLETE']);
  assert.deepEqual([r.usage.tokens.inputTokens, r.usage.tokens.outputTokens], [11, 7]);
  const seen = await side.seen('text');
  assert.deepEqual([seen.system, seen.max], [['Be terse.'], 77]);
});

test('text, streamed', async (side) => {
  let text = '';
  const kinds = [];
  for await (const ev of await client.chatStream({ model: side.model('text'), messages: HELLO }, once)) {
    kinds.push(ev.type);
    if (ev.type === 'content-delta') text += ev.delta.message.content.text;
  }
  assert.equal(text, GREETING);
  assert.deepEqual([kinds[0], kinds.at(-1)], ['message-start', 'message-end']);
});

test('tools and their results', async (side) => {
  const messages = [...HELLO];
  const r = await client.chat({ model: side.model('calls'), messages, tools }, once);
  assert.equal(r.finishReason, 'TOOL_CALL');
  const calls = r.message.toolCalls;
  assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments)), [PARIS, LYON]);
  messages.push({ role: 'assistant', toolCalls: calls, toolPlan: r.message.toolPlan });
  messages.push(...calls.map((c) => ({ role: 'tool', toolCallId: c.id, content: '11 degrees' })));
  const final = await client.chat({ model: side.model('calls'), messages, tools }, once);
  assert.match(final.message.content[0].text, /11 degrees/);
});

test('structured output', async (side) => {
  const responseFormat = { type: 'json_object', jsonSchema: PERSON };
  const r = await client.chat({ model: side.model('json'), messages: HELLO, responseFormat }, once);
  assert.deepEqual(JSON.parse(r.message.content[0].text), ADA);
});

test('an error', async (side) => {
  const e = await thrown(CohereError, () => client.chat({ model: side.model('nothing-like-this'), messages: HELLO }, once));
  assert.equal(e.statusCode, 404);
  assert.match(e.message, /does not exist/);
});
