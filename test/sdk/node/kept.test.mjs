// The official openai SDK, unmodified: answers that Plenum keeps, on upstreams that know nothing of it.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { GREETING, KEY, URL, suite } from './kit.mjs';

const test = suite('kept');
const client = new OpenAI({ baseURL: URL + '/v1', apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const texts = (seen) => seen.turns.map((t) => t.parts.filter((p) => p.type === 'text').map((p) => p.text).join(''));

test('previous response', async (side) => {
  const first = await client.responses.create({ model: side.model('text'), input: 'One.' });
  assert.equal(first.store, true);
  const second = await client.responses.create({ model: side.model('text'), input: 'Two.', previous_response_id: first.id });
  assert.equal(second.previous_response_id, first.id);
  assert.deepEqual(texts(await side.seen('text')), ['One.', GREETING, 'Two.']);
});

test('retrieve, items, delete', async (side) => {
  const r = await client.responses.create({ model: side.model('text'), input: 'One.' });
  assert.equal((await client.responses.retrieve(r.id)).output_text, GREETING);
  const items = [];
  for await (const i of client.responses.inputItems.list(r.id)) items.push(i);
  assert.equal(items[0].content[0].text, 'One.');
  await client.responses.delete(r.id);
  await assert.rejects(client.responses.retrieve(r.id), OpenAI.NotFoundError);
});

test('background, polled and resumed', async (side) => {
  let r = await client.responses.create({ model: side.model('text'), input: 'x', background: true });
  assert.equal(r.status, 'queued');
  for (let i = 0; i < 200 && ['queued', 'in_progress'].includes(r.status); i++) {
    await new Promise((done) => setTimeout(done, 50));
    r = await client.responses.retrieve(r.id);
  }
  assert.equal(r.status, 'completed');
  const events = [];
  for await (const e of await client.responses.retrieve(r.id, { stream: true, starting_after: 2 })) events.push(e);
  assert.equal(events[0].sequence_number, 3);
  assert.equal(events.at(-1).response.output_text ?? events.at(-1).response.output[0].content[0].text, GREETING);
});
