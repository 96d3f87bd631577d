// The official openai SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { ADA, GREETING, KEY, LYON, PARIS, PDF, PNG, SCHEMA, URL, digest, suite, thrown } from './kit.mjs';

const test = suite('openai');
const client = new OpenAI({ baseURL: URL + '/v1', apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const create = (body, options) => client.chat.completions.create({ messages: HELLO, ...body }, options);
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const WEATHER = { type: 'function', function: { name: 'get_weather', description: 'The weather in a city.', parameters: SCHEMA } };
const CLOCK = { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } };
const Person = z.object({ name: z.string(), born: z.number(), tags: z.array(z.string()) });

/** The text, the reasoning, the calls and what else a stream of chunks said. */
async function gather(stream) {
  const got = { text: '', thought: '', calls: [], finish: null, usage: null, chunks: [] };
  for await (const chunk of await stream) {
    got.chunks.push(chunk);
    got.usage = chunk.usage ?? got.usage;
    for (const { index, delta, finish_reason } of chunk.choices) {
      assert.equal(index, 0);
      got.text += delta.content ?? '';
      got.thought += delta.reasoning_content ?? '';
      for (const c of delta.tool_calls ?? []) {
        got.calls[c.index] ??= { id: c.id, name: c.function.name, args: [] };
        got.calls[c.index].args.push(c.function.arguments ?? '');
      }
      if (finish_reason) {
        assert.equal(got.finish, null, 'two finish reasons');
        got.finish = finish_reason;
      }
    }
  }
  return got;
}

const args = (call) => JSON.parse(call.args.join(''));

// Text

test('text', async (side) => {
  const r = await create({ model: side.model('text') });
  assert.equal(r.choices[0].message.content, GREETING);
  assert.equal(r.choices[0].finish_reason, 'stop');
  assert.deepEqual([r.usage.prompt_tokens, r.usage.completion_tokens, r.usage.total_tokens], [11, 7, 18]);
  assert.deepEqual((await side.seen('text')).turns, [{ role: 'user', parts: [{ type: 'text', text: 'Say hello.' }] }]);
});

test('text streamed', async (side) => {
  const got = await gather(create({ model: side.model('text'), stream: true }));
  assert.equal(got.text, GREETING);
  assert.equal(got.finish, 'stop');
  assert.equal(got.usage, null, 'a usage chunk that nobody asked for');
  assert.ok(got.chunks.length > 5);
});

test('usage of a stream when asked for', async (side) => {
  const got = await gather(create({ model: side.model('cached'), stream: true, stream_options: { include_usage: true } }));
  assert.deepEqual(got.chunks.at(-1).choices, []);
  assert.equal(got.usage.prompt_tokens, 1220);
  assert.equal(got.usage.prompt_tokens_details.cached_tokens, 1000);
});

test('stream helper', async (side) => {
  const deltas = [];
  const s = client.chat.completions.stream({ model: side.model('text'), messages: HELLO });
  s.on('content', (d) => deltas.push(d));
  assert.equal(await s.finalContent(), GREETING);
  assert.ok(deltas.length > 3);
});

test('system and developer prompts', async (side) => {
  for (const role of ['system', 'developer']) {
    await create({ model: side.model('text'), messages: [{ role, content: 'Be terse.' }, ...HELLO] });
    assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
  }
});

test('parameters', async (side) => {
  await create({ model: side.model('text'), temperature: 0.5, max_completion_tokens: 77, stop: ['END', 'STOP'], user: 'user-7' });
  const seen = await side.seen('text');
  assert.deepEqual([Number(seen.temperature), seen.max, seen.stop, seen.user], [0.5, 77, ['END', 'STOP'], 'user-7']);
});

// Tools

test('tool call and its result', async (side) => {
  const messages = [...HELLO];
  let r = await create({ model: side.model('call'), messages, tools: [WEATHER] });
  const m = r.choices[0].message;
  assert.equal(r.choices[0].finish_reason, 'tool_calls');
  assert.equal(m.content, 'Let me look.');
  assert.deepEqual(JSON.parse(m.tool_calls[0].function.arguments), PARIS);
  assert.deepEqual((await side.seen('call')).tools[0].schema, SCHEMA);
  messages.push(m, { role: 'tool', tool_call_id: m.tool_calls[0].id, content: '21 degrees' });
  r = await create({ model: side.model('call'), messages, tools: [WEATHER] });
  assert.equal(r.choices[0].message.content, 'It is 21 degrees.');
});

test('tool call streamed', async (side) => {
  const got = await gather(create({ model: side.model('call'), tools: [WEATHER], stream: true }));
  assert.equal(got.text, 'Let me look.');
  assert.equal(got.finish, 'tool_calls');
  assert.equal(got.calls.length, 1);
  assert.equal(got.calls[0].name, 'get_weather');
  assert.deepEqual(args(got.calls[0]), PARIS);
  assert.ok(got.calls[0].args.filter(Boolean).length > 1, 'arguments come as they are made');
});

test('parallel calls', async (side) => {
  const messages = [...HELLO];
  let r = await create({ model: side.model('calls'), messages, tools: [WEATHER] });
  const m = r.choices[0].message;
  assert.deepEqual(m.tool_calls.map((c) => JSON.parse(c.function.arguments)), [PARIS, LYON]);
  messages.push(m, ...m.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: 'fine' })));
  r = await create({ model: side.model('calls'), messages, tools: [WEATHER] });
  assert.equal(r.choices[0].message.content, 'It is fine.');
});

test('parallel calls streamed', async (side) => {
  const got = await gather(create({ model: side.model('calls'), tools: [WEATHER], stream: true }));
  assert.deepEqual(got.calls.map(args), [PARIS, LYON]);
});

test('parallel calls can be refused', async (side) => {
  const r = await create({ model: side.model('calls'), tools: [WEATHER], parallel_tool_calls: false });
  assert.equal(r.choices[0].message.tool_calls.length, 1);
});

test('call without arguments', async (side) => {
  const r = await create({ model: side.model('noargs'), tools: [CLOCK] });
  assert.deepEqual(JSON.parse(r.choices[0].message.tool_calls[0].function.arguments), {});
  const got = await gather(create({ model: side.model('noargs'), tools: [CLOCK], stream: true }));
  assert.deepEqual(args(got.calls[0]), {});
});

for (const [choice, want] of [
  ['auto', 'auto'],
  ['required', 'any'],
  ['none', 'none'],
  [{ type: 'function', function: { name: 'now' } }, 'tool:now'],
]) {
  test(`tool choice ${want}`, async (side) => {
    const r = await create({ model: side.model('obey'), tools: [WEATHER, CLOCK], tool_choice: choice });
    assert.equal((await side.seen('obey')).choice, want);
    const name = r.choices[0].message.tool_calls?.[0].function.name;
    assert.equal(name, want === 'none' ? undefined : want === 'tool:now' ? 'now' : 'get_weather');
  });
}

test('tools run by the SDK', async (side) => {
  let asked;
  const runner = client.chat.completions.runTools({
    model: side.model('call'),
    messages: HELLO,
    tools: [
      zodFunction({
        name: 'get_weather',
        parameters: z.object({ city: z.string(), unit: z.string() }),
        function: (a) => ((asked = a), '21 degrees'),
      }),
    ],
  });
  assert.equal(await runner.finalContent(), 'It is 21 degrees.');
  assert.deepEqual(asked, PARIS);
});

// Structured output

test('parse', async (side) => {
  const r = await client.chat.completions.parse({
    model: side.model('json'), messages: HELLO, response_format: zodResponseFormat(Person, 'person'),
  });
  assert.deepEqual(r.choices[0].message.parsed, ADA);
  assert.equal((await side.seen('json')).format.kind, 'schema');
});

test('parse streamed', async (side) => {
  const s = client.chat.completions.stream({
    model: side.model('json'), messages: HELLO, response_format: zodResponseFormat(Person, 'person'),
  });
  assert.deepEqual((await s.finalChatCompletion()).choices[0].message.parsed, ADA);
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
          { type: 'image_url', image_url: { url: 'data:image/png;base64,' + PNG } },
          { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } },
          { type: 'file', file: { filename: 'page.pdf', file_data: 'data:application/pdf;base64,' + PDF } },
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

// Reasoning

test('reasoning', async (side) => {
  const r = await create({ model: side.model('think'), reasoning_effort: 'high' });
  assert.equal(r.choices[0].message.reasoning_content, 'Six times seven: that is forty-two.');
  assert.equal(r.choices[0].message.content, 'It is 42.');
  const got = await gather(create({ model: side.model('think'), stream: true }));
  assert.deepEqual([got.thought, got.text], ['Six times seven: that is forty-two.', 'It is 42.']);
});

// How answers end

for (const [scenario, want] of [['length', 'length'], ['stop', 'stop'], ['filter', 'content_filter']]) {
  test(`finish reason ${want} of ${scenario}`, async (side) => {
    const r = await create({ model: side.model(scenario), stop: ['END'] });
    assert.equal(r.choices[0].finish_reason, want);
    assert.equal((await gather(create({ model: side.model(scenario), stop: ['END'], stream: true }))).finish, want);
  });
}

test('refusal', async (side) => {
  const { message: m, finish_reason } = (await create({ model: side.model('refusal') })).choices[0];
  assert.match((m.refusal ?? '') + (m.content ?? ''), /I cannot help with that/);
  assert.ok(m.refusal || finish_reason === 'content_filter');
});

test('parse throws its own error when cut short', async (side) => {
  await thrown(OpenAI.LengthFinishReasonError ?? OpenAI.OpenAIError, () =>
    client.chat.completions.parse({
      model: side.model('length'), messages: HELLO, response_format: zodResponseFormat(Person, 'person'),
    }),
  );
});

test('usage', async (side) => {
  const { usage: u } = await create({ model: side.model('cached') });
  assert.deepEqual([u.prompt_tokens, u.completion_tokens, u.prompt_tokens_details.cached_tokens], [1220, 9, 1000]);
});

// Choices and log probabilities

test('several choices', async (side) => {
  const { data, response } = await create({ model: side.model('many'), n: 2 }).withResponse();
  const texts = data.choices.map((c) => c.message.content);
  if (side.name === 'openai') assert.deepEqual(texts, ['choice 0', 'choice 1']);
  else {
    assert.deepEqual(texts, ['choice 0']);
    assert.ok(response.headers.get('plenum-lost').split(', ').includes('n'));
  }
});

test('log probabilities', async (side) => {
  const { data, response } = await create({ model: side.model('text'), logprobs: true, top_logprobs: 2 }).withResponse();
  const lp = data.choices[0].logprobs;
  if (side.name === 'openai') assert.equal(lp.content.map((t) => t.token).join(''), GREETING);
  else {
    assert.equal(lp ?? null, null);
    assert.match(response.headers.get('plenum-lost'), /logprobs/);
  }
});

// What Plenum adds and lets through

test('headers', async (side) => {
  const { data, response } = await create({ model: side.model('text') }).withResponse();
  const h = response.headers;
  assert.match(h.get('plenum-request-id'), /^req_/);
  assert.equal(h.get('plenum-target'), `${side.name}/${side.upstream('text')}`);
  assert.equal(h.get('plenum-attempts'), '1');
  assert.ok(Number(h.get('plenum-cost-usd')) > 0);
  assert.ok(data._request_id);
  assert.equal(h.get('set-cookie') ?? h.get('openai-organization') ?? h.get('anthropic-organization-id'), null);
});

test('unknown parameters', async (side) => {
  const { response } = await create({ model: side.model('text'), x_new: { b: 1, a: [2, null] } }).withResponse();
  if (side.name === 'openai') assert.equal(JSON.stringify((await side.seen('text')).extra.x_new), '{"b":1,"a":[2,null]}');
  else assert.match(response.headers.get('plenum-lost'), /x_new/);
});

// Errors

for (const [status, kind] of [
  [400, OpenAI.BadRequestError],
  [401, OpenAI.InternalServerError], // the vendor refused Plenum's credential, which is not the caller's fault
  [404, OpenAI.NotFoundError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
  [529, OpenAI.InternalServerError],
]) {
  test(`error ${status} of the upstream`, async (side) => {
    for (const stream of [false, true]) {
      const e = await thrown(kind, () => create({ model: side.model('fail', String(status)), stream }));
      assert.ok(e.error?.message && e.error?.type);
      assert.doesNotMatch(String(e), /sk-vendor/);
    }
  });
}

test('bad request of ours', async (side) => {
  const e = await thrown(OpenAI.BadRequestError, () => create({ model: side.model('text'), messages: 'hello' }));
  assert.match(`${e.param} ${e}`, /messages/);
});

test.plain('wrong key', async () => {
  const c = new OpenAI({ baseURL: URL + '/v1', apiKey: 'pk-wrong-0123456789abcdef', maxRetries: 0 });
  const e = await thrown(OpenAI.AuthenticationError, () => c.chat.completions.create({ model: 'oa/text:x', messages: HELLO }));
  assert.doesNotMatch(String(e), /pk-wrong/);
});

test.plain('unknown model names the nearest', async () => {
  const e = await thrown(OpenAI.NotFoundError, () => create({ model: 'grok-4-fst' }));
  assert.equal(e.code, 'model_not_found');
  assert.match(e.message, /grok-4-fast/);
});

for (const status of [429, 500, 529]) {
  test(`the SDK tries again after ${status}`, async (side) => {
    const c = new OpenAI({ baseURL: URL + '/v1', apiKey: KEY, maxRetries: 2 });
    const r = await c.chat.completions.create({ model: side.model('again', `${status}-1`), messages: HELLO });
    assert.equal(r.choices[0].message.content, GREETING);
    const calls = await side.calls('again', { args: `${status}-1` });
    assert.equal(calls.length, 2);
    if (status === 429) assert.ok(calls[1].at_ms >= 950 && calls[1].at_ms <= 4000, 'Retry-After: 1 reached the SDK');
  });
}

test('error in the middle of a stream', async (side) => {
  let text = '';
  const e = await thrown(OpenAI.APIError, async () => {
    for await (const c of await create({ model: side.model('fault'), stream: true })) text += c.choices[0]?.delta.content ?? '';
  });
  assert.equal(text, 'one two three ');
  assert.match(String(e), /Overloaded/);
});

for (const scenario of ['cut', 'quiet']) {
  test(`stream that the upstream ends by ${scenario}`, async (side) => {
    let text = '';
    await thrown(OpenAI.APIError, async () => {
      for await (const c of await create({ model: side.model(scenario), stream: true })) text += c.choices[0]?.delta.content ?? '';
    });
    assert.equal(text, 'one two three ');
  });
}

// Going away

test('abort of a stream', async (side) => {
  const stop = new AbortController();
  let n = 0;
  let gone;
  try {
    for await (const _ of await create({ model: side.model('slow'), stream: true }, { signal: stop.signal })) {
      if (++n === 5) {
        gone = Date.now();
        stop.abort();
      }
    }
  } catch (e) {
    assert.ok(e instanceof OpenAI.APIUserAbortError, e);
  }
  const call = (await side.calls('slow', { wait: 'cancelled' })).at(-1);
  assert.ok(call.cancelled_ms && call.cancelled_ms - gone < 500, 'the upstream was not told in time');
});

test('abort of a whole answer', async (side) => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  await thrown(OpenAI.APIUserAbortError, () => create({ model: side.model('hang') }, { signal: stop.signal }));
  assert.ok((await side.calls('hang', { wait: 'cancelled' })).at(-1).cancelled_ms);
});

// Models

test.plain('models', async () => {
  const names = [];
  for await (const m of client.models.list()) names.push(m.id);
  assert.ok(names.includes('grok-4-fast') && names.includes('claude-here'));
  assert.equal((await client.models.retrieve('grok-4-fast')).object, 'model');
  await thrown(OpenAI.NotFoundError, () => client.models.retrieve('nobody'));
});
