// The official @google/genai SDK, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import { ApiError, GoogleGenAI } from '@google/genai';
import { ADA, GREETING, KEY, LYON, PARIS, PERSON, PNG, SCHEMA, URL, digest, suite, thrown } from './kit.mjs';

const test = suite('google');
const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: URL, timeout: 30_000 } });
const tools = [{ functionDeclarations: [{ name: 'get_weather', description: 'The weather in a city.', parametersJsonSchema: SCHEMA }] }];

test('text', async (side) => {
  const r = await client.models.generateContent({ model: side.model('text'), contents: 'Say hello.', config: { systemInstruction: 'Be terse.' } });
  assert.equal(r.text, GREETING);
  assert.deepEqual([r.usageMetadata.promptTokenCount, r.usageMetadata.candidatesTokenCount], [11, 7]);
  assert.deepEqual((await side.seen('text')).system, ['Be terse.']);
});

test('text, streamed', async (side) => {
  const chunks = [];
  for await (const c of await client.models.generateContentStream({ model: side.model('text'), contents: 'Say hello.' })) chunks.push(c);
  assert.equal(chunks.map((c) => c.text ?? '').join(''), GREETING);
  assert.ok(chunks.length > 5 && chunks.at(-1).candidates[0].finishReason === 'STOP');
});

test('a chat keeps its history', async (side) => {
  const chat = client.chats.create({ model: side.model('text') });
  assert.equal((await chat.sendMessage({ message: 'Say hello.' })).text, GREETING);
  let text = '';
  for await (const c of await chat.sendMessageStream({ message: 'Again.' })) text += c.text ?? '';
  assert.equal(text, GREETING);
  await chat.sendMessage({ message: 'And again.' });
  assert.equal(chat.getHistory(true).filter((c) => c.role === 'user').length, 3);
});

test('tools and their results', async (side) => {
  const model = side.model('calls');
  const contents = [{ role: 'user', parts: [{ text: 'The weather in both cities?' }] }];
  const r = await client.models.generateContent({ model, contents, config: { tools } });
  assert.deepEqual(r.functionCalls.map((c) => c.args), [PARIS, LYON]);
  contents.push(r.candidates[0].content, {
    role: 'user',
    parts: r.functionCalls.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: { output: '11 degrees' } } })),
  });
  const final = await client.models.generateContent({ model, contents, config: { tools } });
  assert.match(final.text, /11 degrees/);
});

test('structured output', async (side) => {
  const r = await client.models.generateContent({
    model: side.model('json'), contents: 'Who?', config: { responseMimeType: 'application/json', responseJsonSchema: PERSON },
  });
  assert.deepEqual(JSON.parse(r.text), ADA);
});

test('an image', async (side) => {
  await client.models.generateContent({ model: side.model('see'), contents: ['What is it?', { inlineData: { mimeType: 'image/png', data: PNG } }] });
  assert.ok(JSON.stringify(await side.seen('see')).includes(digest(PNG)));
});

test('tokens are counted', async (side) => {
  assert.ok((await client.models.countTokens({ model: side.model('text'), contents: 'Say hello.' })).totalTokens > 0);
});

test('an error', async (side) => {
  const e = await thrown(ApiError, () => client.models.generateContent({ model: side.model('nothing-like-this'), contents: 'Say hello.' }));
  assert.equal(e.status, 404);
  assert.match(e.message, /does not exist/);
});
