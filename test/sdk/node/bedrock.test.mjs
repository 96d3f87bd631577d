// The official @aws-sdk/client-bedrock-runtime, unmodified, against a running Plenum, with a Plenum key as the
// bearer token.

import assert from 'node:assert/strict';
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  ResourceNotFoundException,
  ThrottlingException,
  ValidationException,
} from '@aws-sdk/client-bedrock-runtime';
import { GREETING, KEY, PARIS, SCHEMA, URL, suite, thrown } from './kit.mjs';

const test = suite('bedrock');
const client = new BedrockRuntimeClient({ region: 'us-east-1', endpoint: URL, token: { token: KEY }, authSchemePreference: ['httpBearerAuth'], maxAttempts: 1 });
const HELLO = [{ role: 'user', content: [{ text: 'Say hello.' }] }];
const toolConfig = { tools: [{ toolSpec: { name: 'get_weather', inputSchema: { json: SCHEMA } } }] };

const whole = (input) => client.send(new ConverseCommand({ messages: HELLO, ...input }));

/** Calls ConverseStream and puts the answer together as Converse gives it. */
async function streamed(input) {
  const { stream } = await client.send(new ConverseStreamCommand({ messages: HELLO, ...input }));
  const blocks = [];
  let out = {};
  for await (const ev of stream) {
    if (ev.contentBlockStart) blocks[ev.contentBlockStart.contentBlockIndex] = { toolUse: { ...ev.contentBlockStart.start.toolUse, input: '' } };
    if (ev.contentBlockDelta) {
      const { contentBlockIndex: i, delta } = ev.contentBlockDelta;
      blocks[i] ??= { text: '' };
      if (delta.text !== undefined) blocks[i].text += delta.text;
      if (delta.toolUse) blocks[i].toolUse.input += delta.toolUse.input;
    }
    out = { ...out, ...ev.messageStop, ...ev.metadata };
  }
  for (const b of blocks) if (b.toolUse) b.toolUse.input = JSON.parse(b.toolUse.input);
  return { ...out, output: { message: { role: 'assistant', content: blocks } } };
}

for (const [how, ask] of [['whole', whole], ['streamed', streamed]]) {
  test(`text ${how}`, async (side) => {
    const r = await ask({ modelId: side.model('text'), system: [{ text: 'Be terse.' }] });
    assert.deepEqual(r.output.message.content.map((b) => b.text), [GREETING]);
    assert.deepEqual([r.stopReason, r.usage.inputTokens, r.usage.outputTokens], ['end_turn', 11, 7]);
    assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
  });

  test(`tools ${how}`, async (side) => {
    const messages = [...HELLO];
    const r = await ask({ modelId: side.model('call'), messages, toolConfig });
    const { toolUse } = r.output.message.content.at(-1);
    assert.deepEqual([r.stopReason, toolUse.name, toolUse.input], ['tool_use', 'get_weather', PARIS]);
    messages.push(r.output.message, { role: 'user', content: [{ toolResult: { toolUseId: toolUse.toolUseId, content: [{ text: 'fine' }] } }] });
    assert.equal((await ask({ modelId: side.model('call'), messages, toolConfig })).stopReason, 'end_turn');
  });

  for (const [status, kind] of [[400, ValidationException], [404, ResourceNotFoundException], [429, ThrottlingException]]) {
    test(`error ${status} ${how}`, async (side) => {
      const e = await thrown(kind, () => ask({ modelId: side.model('fail', String(status)) }));
      assert.ok(e.message);
    });
  }
}

test('error in the middle of a stream', async (side) => {
  const e = await thrown(Error, () => streamed({ modelId: side.model('fault') }));
  assert.match(e.name, /Exception/);
});

test('count tokens', async (side) => {
  const r = await client.send(new CountTokensCommand({ modelId: side.model('text'), input: { converse: { messages: HELLO } } }));
  assert.ok(r.inputTokens > 0 && r.inputTokens < 100);
});

// Keys that sign their requests.
const aws = Object.fromEntries(process.env.PLENUM_AWS.trim().split(' ').map((pair) => pair.split(/=(.*)/s)));
const signing = (secret = aws.AWS_SECRET_ACCESS_KEY) =>
  new BedrockRuntimeClient({
    region: 'eu-west-1',
    endpoint: URL,
    credentials: { accessKeyId: aws.AWS_ACCESS_KEY_ID, secretAccessKey: secret },
    authSchemePreference: ['sigv4'],
    maxAttempts: 1,
  });

test('signed', async (side) => {
  const c = signing();
  const r = await c.send(new ConverseCommand({ messages: HELLO, modelId: side.model('text') }));
  assert.equal(r.output.message.content[0].text, GREETING);
  const { stream } = await c.send(new ConverseStreamCommand({ messages: HELLO, modelId: side.model('text') }));
  let text = '';
  for await (const ev of stream) text += ev.contentBlockDelta?.delta.text ?? '';
  assert.equal(text, GREETING);
  await assert.rejects(signing('no').send(new ConverseCommand({ messages: HELLO, modelId: side.model('text') })), { name: 'InvalidSignatureException' });
});
