// The official openai SDK, unmodified, speaking Responses to upstreams that know nothing of it.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { ADA, GREETING, KEY, LYON, PARIS, PNG, SCHEMA, URL, digest, suite, thrown } from './kit.mjs';

const test = suite('responses');
const client = new OpenAI({ baseURL: URL + '/v1', apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const create = (body, options) => client.responses.create({ input: 'Say hello.', ...body }, options);
const WEATHER = { type: 'function', name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA, strict: false };
const Person = z.object({ name: z.string(), born: z.number(), tags: z.array(z.string()) });

/** All events of a stream, with the checks that hold for each. */
async function gather(stream) {
  const events = [];
  for await (const e of await stream) events.push(e);
  events.forEach((e, i) => assert.equal(e.sequence_number, i));
  assert.equal(events[0].type, 'response.created');
  const done = events.filter((e) => e.type === 'response.output_item.done').map((e) => e.item);
  assert.deepEqual(events.at(-1).response.output, done);
  return events;
}

const deltas = (events, type) => events.filter((e) => e.type === type).map((e) => e.delta).join('');

test('text', async (side) => {
  const r = await create({ model: side.model('text'), instructions: 'Be terse.' });
  assert.equal(r.output_text, GREETING);
  assert.equal(r.status, 'completed');
  assert.equal(r.store, true);
  assert.deepEqual([r.usage.input_tokens, r.usage.output_tokens, r.usage.total_tokens], [11, 7, 18]);
  assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
});

test('text streamed', async (side) => {
  const events = await gather(create({ model: side.model('text'), stream: true }));
  assert.equal(deltas(events, 'response.output_text.delta'), GREETING);
  assert.equal(events.at(-1).type, 'response.completed');
  assert.equal(events.at(-1).response.usage.total_tokens, 18);
});

test('stream helper', async (side) => {
  const s = client.responses.stream({ model: side.model('text'), input: 'Say hello.' });
  let text = '';
  s.on('response.output_text.delta', (e) => (text += e.delta));
  assert.equal((await s.finalResponse()).output_text, GREETING);
  assert.equal(text, GREETING);
});

test('tool call and its result', async (side) => {
  const input = [{ role: 'user', content: 'The weather in Paris?' }];
  let r = await create({ model: side.model('call'), input, tools: [WEATHER] });
  const call = r.output.at(-1);
  assert.equal(call.type, 'function_call');
  assert.deepEqual(JSON.parse(call.arguments), PARIS);
  input.push(...r.output, { type: 'function_call_output', call_id: call.call_id, output: '21 degrees' });
  r = await create({ model: side.model('call'), input, tools: [WEATHER] });
  assert.equal(r.output_text, 'It is 21 degrees.');
});

test('parallel calls streamed', async (side) => {
  const events = await gather(create({ model: side.model('calls'), tools: [WEATHER], stream: true }));
  const calls = events.at(-1).response.output.filter((i) => i.type === 'function_call');
  assert.deepEqual(calls.map((c) => JSON.parse(c.arguments)), [PARIS, LYON]);
});

test('parse', async (side) => {
  const r = await client.responses.parse({ model: side.model('json'), input: 'Who?', text: { format: zodTextFormat(Person, 'person') } });
  assert.deepEqual(r.output_parsed, ADA);
  assert.equal((await side.seen('json')).format.kind, 'schema');
});

test('parse streamed', async (side) => {
  const s = client.responses.stream({ model: side.model('json'), input: 'Who?', text: { format: zodTextFormat(Person, 'person') } });
  assert.deepEqual((await s.finalResponse()).output_parsed, ADA);
});

test('image', async (side) => {
  const content = [{ type: 'input_text', text: 'What?' }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PNG}` }];
  const r = await create({ model: side.model('see'), input: [{ role: 'user', content }] });
  assert.equal(r.output_text, 'I have read it.');
  assert.ok(JSON.stringify(await side.seen('see')).includes(digest(PNG)));
});

test('reasoning with tools goes round', async (side) => {
  const input = [{ role: 'user', content: 'Look.' }];
  const args = { model: side.model('think-call'), tools: [WEATHER], reasoning: { effort: 'high' } };
  let r = await create({ ...args, input });
  assert.equal(r.output[0].type, 'reasoning');
  input.push(...r.output, { type: 'function_call_output', call_id: r.output.at(-1).call_id, output: '42' });
  r = await create({ ...args, input });
  assert.equal(r.output_text, 'The lookup says 42.');
});

test('an answer that was cut', async (side) => {
  const events = await gather(create({ model: side.model('length'), stream: true }));
  assert.equal(events.at(-1).type, 'response.incomplete');
  assert.equal(events.at(-1).response.incomplete_details.reason, 'max_output_tokens');
});

test('errors', async (side) => {
  await thrown(OpenAI.BadRequestError, () => create({ model: side.model('fail', '400') }));
  await thrown(OpenAI.RateLimitError, () => create({ model: side.model('fail', '429'), stream: true }));
  const e = await thrown(OpenAI.NotFoundError, () => create({ model: side.model('text'), previous_response_id: 'resp_1' }));
  assert.equal(e.code, 'previous_response_not_found');
});

test('error in the middle of a stream', async (side) => {
  let text = '';
  const e = await thrown(OpenAI.APIError, async () => {
    for await (const ev of await create({ model: side.model('fault'), stream: true })) {
      if (ev.type === 'response.output_text.delta') text += ev.delta;
    }
  });
  assert.equal(text, 'one two three ');
  assert.ok(String(e).includes('Overloaded'), String(e));
});
