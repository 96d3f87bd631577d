// Clients of Claude's other hosts, unmodified, pointed at a running Plenum: @anthropic-ai/bedrock-sdk and
// @anthropic-ai/vertex-sdk, and InvokeModel of @aws-sdk/client-bedrock-runtime.

import assert from 'node:assert/strict';
import { APIError } from '@anthropic-ai/sdk';
import { AnthropicBedrock } from '@anthropic-ai/bedrock-sdk';
import { AnthropicVertex } from '@anthropic-ai/vertex-sdk';
import { BedrockRuntimeClient, InvokeModelCommand, InvokeModelWithResponseStreamCommand, ValidationException } from '@aws-sdk/client-bedrock-runtime';
import { GREETING, KEY, PARIS, SCHEMA, URL, suite, thrown } from './kit.mjs';

const test = suite('hosts');
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const tools = [{ name: 'get_weather', input_schema: SCHEMA }];

// A client of Google's that has its token already.
const authClient = { getRequestHeaders: async () => new Headers({ authorization: `Bearer ${KEY}` }), projectId: 'p' };
const hosts = {
  bedrock: new AnthropicBedrock({ baseURL: URL, apiKey: KEY, awsRegion: 'us-east-1', maxRetries: 0 }),
  vertex: new AnthropicVertex({ baseURL: `${URL}/v1`, authClient, projectId: 'p', region: 'us-east5', maxRetries: 0 }),
};

for (const [host, client] of Object.entries(hosts)) {
  test(`text on ${host}`, async (side) => {
    const r = await client.messages.create({ model: side.model('text'), messages: HELLO, max_tokens: 77, system: 'Be terse.' });
    assert.deepEqual(r.content.map((b) => b.text), [GREETING]);
    assert.deepEqual([r.stop_reason, r.usage.input_tokens, r.usage.output_tokens], ['end_turn', 11, 7]);
    assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
  });

  test(`text streamed on ${host}`, async (side) => {
    const r = await client.messages.stream({ model: side.model('text'), messages: HELLO, max_tokens: 77 }).finalMessage();
    assert.deepEqual(r.content.map((b) => b.text), [GREETING]);
    assert.equal(r.stop_reason, 'end_turn');
  });

  test(`tools on ${host}`, async (side) => {
    const messages = [...HELLO];
    const args = { model: side.model('call'), messages, tools, max_tokens: 77 };
    const r = await client.messages.stream(args).finalMessage();
    const call = r.content.at(-1);
    assert.deepEqual([r.stop_reason, call.name, call.input], ['tool_use', 'get_weather', PARIS]);
    messages.push({ role: 'assistant', content: r.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'fine' }] });
    assert.equal((await client.messages.create(args)).stop_reason, 'end_turn');
  });

  for (const status of [400, 404, 429]) {
    test(`error ${status} on ${host}`, async (side) => {
      for (const stream of [false, true]) {
        const e = await thrown(APIError, () => client.messages.create({ model: side.model('fail', String(status)), messages: HELLO, max_tokens: 77, stream }));
        assert.equal(e.status, status);
      }
    });
  }
}

const aws = new BedrockRuntimeClient({ region: 'us-east-1', endpoint: URL, token: { token: KEY }, authSchemePreference: ['httpBearerAuth'], maxAttempts: 1 });
const claude = (modelId) => ({ modelId, body: JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 77, messages: HELLO }) });
const text = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

test('InvokeModel', async (side) => {
  const r = await aws.send(new InvokeModelCommand(claude(side.model('text'))));
  assert.equal(text(r.body).content[0].text, GREETING);
});

test('InvokeModel streamed', async (side) => {
  const { body } = await aws.send(new InvokeModelWithResponseStreamCommand(claude(side.model('text'))));
  let said = '';
  for await (const { chunk } of body) said += text(chunk.bytes).delta?.text ?? '';
  assert.equal(said, GREETING);
});

test('InvokeModel error', async (side) => {
  await thrown(ValidationException, () => aws.send(new InvokeModelCommand(claude(side.model('fail', '400')))));
});
