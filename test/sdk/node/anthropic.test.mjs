// The official anthropic SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { ADA, GREETING, KEY, LYON, PARIS, PDF, PNG, SCHEMA, URL, digest, suite, thrown } from './kit.mjs';

const test = suite('anthropic');
const client = new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const fill = (body) => ({ messages: HELLO, max_tokens: 4096, ...body });
const create = (body, options) => client.messages.create(fill(body), options);
const final = (body) => client.messages.stream(fill(body)).finalMessage();
const WEATHER = { name: 'get_weather', description: 'The weather in a city.', input_schema: SCHEMA };
const CLOCK = { name: 'now', input_schema: { type: 'object', properties: {} } };
const BUDGET = { type: 'enabled', budget_tokens: 2000 };
const Person = z.object({ name: z.string(), born: z.number(), tags: z.array(z.string()) });

const textOf = (m) => m.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
const kinds = (m) => m.content.map((b) => b.type);

// Text

test('text', async (side) => {
  const r = await create({ model: side.model('text') });
  assert.equal(textOf(r), GREETING);
  assert.deepEqual([r.type, r.role, r.stop_reason], ['message', 'assistant', 'end_turn']);
  assert.deepEqual([r.usage.input_tokens, r.usage.output_tokens], [11, 7]);
  const seen = await side.seen('text');
  assert.deepEqual(seen.turns, [{ role: 'user', parts: [{ type: 'text', text: 'Say hello.' }] }]);
  assert.equal(seen.max, 4096);
});

test('text streamed', async (side) => {
  const events = [];
  let text = '';
  for await (const e of await create({ model: side.model('text'), stream: true })) {
    events.push(e.type);
    if (e.type === 'content_block_delta') text += e.delta.text;
  }
  assert.equal(text, GREETING);
  assert.equal(events[0], 'message_start');
  assert.deepEqual(events.slice(-2), ['message_delta', 'message_stop']);
});

test('stream helper', async (side) => {
  const deltas = [];
  const s = client.messages.stream(fill({ model: side.model('text') }));
  s.on('text', (d) => deltas.push(d));
  const r = await s.finalMessage();
  assert.equal(deltas.join(''), GREETING);
  assert.ok(deltas.length > 3);
  assert.deepEqual([r.usage.input_tokens, r.usage.output_tokens], [11, 7]);
});

test('system prompt', async (side) => {
  await create({ model: side.model('text'), system: 'Be terse.' });
  assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
});

test('parameters', async (side) => {
  await create({
    model: side.model('text'), temperature: 0.5, max_tokens: 77, stop_sequences: ['END', 'STOP'], metadata: { user_id: 'user-7' },
  });
  const seen = await side.seen('text');
  assert.deepEqual([Number(seen.temperature), seen.max, seen.stop, seen.user], [0.5, 77, ['END', 'STOP'], 'user-7']);
});

// Tools

test('tool use and its result', async (side) => {
  const messages = [...HELLO];
  const r = await create({ model: side.model('call'), messages, tools: [WEATHER] });
  assert.equal(r.stop_reason, 'tool_use');
  assert.deepEqual(kinds(r), ['text', 'tool_use']);
  assert.deepEqual(r.content[1].input, PARIS);
  messages.push(
    { role: 'assistant', content: r.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: r.content[1].id, content: '21 degrees' }] },
  );
  assert.equal(textOf(await create({ model: side.model('call'), messages, tools: [WEATHER] })), 'It is 21 degrees.');
});

test('tool use streamed', async (side) => {
  const partial = [];
  const s = client.messages.stream(fill({ model: side.model('call'), tools: [WEATHER] }));
  s.on('inputJson', (p) => partial.push(p));
  const r = await s.finalMessage();
  assert.deepEqual(kinds(r), ['text', 'tool_use']);
  assert.deepEqual(r.content[1].input, PARIS);
  assert.ok(partial.filter(Boolean).length > 1, 'arguments come as they are made');
});

test('parallel uses', async (side) => {
  const messages = [...HELLO];
  const r = await create({ model: side.model('calls'), messages, tools: [WEATHER] });
  for (const m of [r, await final({ model: side.model('calls'), tools: [WEATHER] })]) {
    assert.deepEqual(kinds(m), ['text', 'tool_use', 'tool_use']);
    assert.deepEqual(m.content.slice(1).map((b) => b.input), [PARIS, LYON]);
  }
  const results = r.content.slice(1).map((b) => ({ type: 'tool_result', tool_use_id: b.id, content: 'fine' }));
  messages.push({ role: 'assistant', content: r.content }, { role: 'user', content: results });
  assert.equal(textOf(await create({ model: side.model('calls'), messages, tools: [WEATHER] })), 'It is fine.');
});

test('one use at a time', async (side) => {
  const tool_choice = { type: 'auto', disable_parallel_tool_use: true };
  assert.deepEqual(kinds(await create({ model: side.model('calls'), tools: [WEATHER], tool_choice })), ['text', 'tool_use']);
});

test('use without input', async (side) => {
  assert.deepEqual((await create({ model: side.model('noargs'), tools: [CLOCK] })).content[0].input, {});
  assert.deepEqual((await final({ model: side.model('noargs'), tools: [CLOCK] })).content[0].input, {});
});

for (const [choice, want] of [
  [{ type: 'auto' }, 'auto'],
  [{ type: 'any' }, 'any'],
  [{ type: 'none' }, 'none'],
  [{ type: 'tool', name: 'now' }, 'tool:now'],
]) {
  test(`tool choice ${want}`, async (side) => {
    const r = await create({ model: side.model('obey'), tools: [WEATHER, CLOCK], tool_choice: choice });
    assert.equal((await side.seen('obey')).choice, want);
    assert.equal(r.content[0].type, want === 'none' ? 'text' : 'tool_use');
    if (want === 'tool:now') assert.equal(r.content[0].name, 'now');
  });
}

// Structured output

test('parse', async (side) => {
  const r = await client.messages.parse(fill({ model: side.model('json'), output_config: { format: zodOutputFormat(Person) } }));
  assert.deepEqual(r.parsed_output, ADA);
  assert.equal((await side.seen('json')).format.kind, 'schema');
});

test('parse streamed', async (side) => {
  const r = await final({ model: side.model('json'), output_config: { format: zodOutputFormat(Person) } });
  assert.deepEqual(r.parsed_output, ADA);
});

// Images and documents

test('images and a document', async (side) => {
  await create({
    model: side.model('see'),
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Compare.' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
          { type: 'image', source: { type: 'url', url: 'https://example.com/cat.png' } },
          { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF }, title: 'page.pdf' },
        ],
      },
    ],
  });
  const parts = (await side.seen('see')).turns[0].parts;
  assert.deepEqual(parts.map((p) => p.type), ['text', 'image', 'image', 'document']);
  assert.deepEqual([parts[1].media, parts[1].hash], ['image/png', digest(PNG)]);
  assert.equal(parts[2].url, 'https://example.com/cat.png');
  assert.deepEqual([parts[3].hash, parts[3].name], [digest(PDF), 'page.pdf']);
});

// Thinking

test('thinking', async (side) => {
  for (const r of [
    await create({ model: side.model('think'), thinking: BUDGET }),
    await final({ model: side.model('think'), thinking: BUDGET }),
  ]) {
    assert.deepEqual(kinds(r), ['thinking', 'text']);
    assert.equal(r.content[0].thinking, 'Six times seven: that is forty-two.');
    assert.equal(textOf(r), 'It is 42.');
    if (side.name === 'anthropic') assert.ok(r.content[0].signature);
  }
});

test('thinking with tools goes round', async (side) => {
  const messages = [...HELLO];
  const ask = () => create({ model: side.model('think-call'), messages, tools: [WEATHER], thinking: BUDGET });
  const r = await ask();
  messages.push(
    { role: 'assistant', content: r.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: r.content.at(-1).id, content: '42' }] },
  );
  assert.equal(textOf(await ask()), 'The lookup says 42.');
});

for (const scenario of ['think-omitted', 'think-sealed']) {
  test.only('anthropic', `${scenario} goes round`, async (side) => {
    const r = await final({ model: side.model(scenario), thinking: BUDGET });
    const messages = [...HELLO, { role: 'assistant', content: r.content }, { role: 'user', content: 'And now?' }];
    await create({ model: side.model(scenario), messages, thinking: BUDGET });
    assert.match((await side.seen(scenario)).turns[1].parts[0].type, /thought|sealed/);
  });
}

// How answers end

for (const [scenario, want] of [['length', ['max_tokens']], ['stop', ['stop_sequence', 'end_turn']], ['refusal', ['refusal']]]) {
  test(`stop reason of ${scenario}`, async (side) => {
    const body = { model: side.model(scenario), stop_sequences: ['END'] };
    for (const r of [await create(body), await final(body)]) {
      assert.ok(want.includes(r.stop_reason), r.stop_reason);
      if (side.name === 'anthropic') assert.equal(r.stop_reason, want[0]);
    }
  });
}

test('usage', async (side) => {
  for (const { usage: u } of [await create({ model: side.model('cached') }), await final({ model: side.model('cached') })]) {
    assert.deepEqual([u.output_tokens, u.cache_read_input_tokens], [9, 1000]);
    if (side.name === 'anthropic') assert.deepEqual([u.input_tokens, u.cache_creation_input_tokens], [20, 200]);
    else assert.equal(u.input_tokens, 220);
  }
});

test('count tokens', async (side) => {
  const { data, response } = await client.messages
    .countTokens({ model: side.model('text'), messages: HELLO, tools: [WEATHER] })
    .withResponse();
  if (side.name === 'anthropic') assert.equal(data.input_tokens, 42);
  else {
    assert.ok(data.input_tokens > 5 && data.input_tokens < 500);
    assert.match(response.headers.get('plenum-changed'), /estimated/);
  }
});

// What Plenum adds and lets through

test('headers', async (side) => {
  const { data, response } = await create({ model: side.model('text') }).withResponse();
  const h = response.headers;
  assert.match(h.get('plenum-request-id'), /^req_/);
  assert.equal(h.get('plenum-target'), `${side.name}/${side.upstream('text')}`);
  assert.ok(Number(h.get('plenum-cost-usd')) > 0);
  assert.ok(data._request_id);
  assert.equal(h.get('set-cookie') ?? h.get('anthropic-organization-id'), null);
  if (side.name === 'anthropic') assert.equal(h.get('anthropic-ratelimit-requests-remaining'), '3999');
});

test('unknown parameters', async (side) => {
  const { response } = await create({ model: side.model('text'), x_new: { b: 1, a: [2, null] } }).withResponse();
  if (side.name === 'anthropic') assert.equal(JSON.stringify((await side.seen('text')).extra.x_new), '{"b":1,"a":[2,null]}');
  else assert.match(response.headers.get('plenum-lost'), /x_new/);
});

// Errors

for (const [status, kind] of [
  [400, Anthropic.BadRequestError],
  [401, Anthropic.InternalServerError], // the vendor refused Plenum's credential, which is not the caller's fault
  [404, Anthropic.NotFoundError],
  [429, Anthropic.RateLimitError],
  [500, Anthropic.InternalServerError],
  [529, Anthropic.InternalServerError],
]) {
  test(`error ${status} of the upstream`, async (side) => {
    for (const stream of [false, true]) {
      const e = await thrown(kind, () => create({ model: side.model('fail', String(status)), stream }));
      assert.equal(e.error.type, 'error');
      assert.ok(e.error.error.type && e.error.error.message);
      assert.doesNotMatch(String(e), /sk-vendor/);
    }
  });
}

test('bad request of ours', async (side) => {
  const e = await thrown(Anthropic.BadRequestError, () => create({ model: side.model('text'), messages: 'hello' }));
  assert.match(String(e), /messages/);
});

test.plain('wrong key', async () => {
  const c = new Anthropic({ baseURL: URL, apiKey: 'pk-wrong-0123456789abcdef', maxRetries: 0 });
  const e = await thrown(Anthropic.AuthenticationError, () => c.messages.create(fill({ model: 'an/text:x' })));
  assert.doesNotMatch(String(e), /pk-wrong/);
});

test.plain('unknown model names the nearest', async () => {
  const e = await thrown(Anthropic.NotFoundError, () => create({ model: 'claude-her' }));
  assert.match(e.message, /claude-here/);
});

for (const status of [429, 500, 529]) {
  test(`the SDK tries again after ${status}`, async (side) => {
    const c = new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 2 });
    assert.equal(textOf(await c.messages.create(fill({ model: side.model('again', `${status}-1`) }))), GREETING);
    const calls = await side.calls('again', { args: `${status}-1` });
    assert.equal(calls.length, 2);
    if (status === 429) assert.ok(calls[1].at_ms >= 950 && calls[1].at_ms <= 4000, 'Retry-After: 1 reached the SDK');
  });
}

test('error in the middle of a stream', async (side) => {
  let text = '';
  const e = await thrown(Anthropic.APIError, async () => {
    for await (const ev of await create({ model: side.model('fault'), stream: true })) text += ev.delta?.text ?? '';
  });
  assert.equal(text, 'one two three ');
  assert.match(JSON.stringify(e.error), /Overloaded/);
  assert.ok(e.type, 'the error has the type of the event');
});

for (const scenario of ['cut', 'quiet']) {
  test(`stream that the upstream ends by ${scenario}`, async (side) => {
    let text = '';
    await thrown(Anthropic.APIError, async () => {
      for await (const ev of await create({ model: side.model(scenario), stream: true })) text += ev.delta?.text ?? '';
    });
    assert.equal(text, 'one two three ');
  });
}

// Going away

test('abort of a stream', async (side) => {
  let n = 0;
  const s = await create({ model: side.model('slow'), stream: true });
  let gone;
  for await (const _ of s) {
    if (++n === 5) {
      gone = Date.now();
      s.controller.abort();
    }
  }
  const call = (await side.calls('slow', { wait: 'cancelled' })).at(-1);
  assert.ok(call.cancelled_ms && call.cancelled_ms - gone < 500, 'the upstream was not told in time');
});

test('abort of a whole answer', async (side) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  await thrown(Anthropic.APIUserAbortError, () => create({ model: side.model('hang') }, { signal: stop.signal }));
  assert.ok((await side.calls('hang', { wait: 'cancelled' })).at(-1).cancelled_ms);
});

// Models

test.plain('models', async () => {
  const names = [];
  for await (const m of client.models.list()) names.push(m.id);
  assert.ok(names.includes('grok-4-fast') && names.includes('claude-here'));
  const m = await client.models.retrieve('claude-here');
  assert.deepEqual([m.type, m.id], ['model', 'claude-here']);
  await thrown(Anthropic.NotFoundError, () => client.models.retrieve('nobody'));
});
