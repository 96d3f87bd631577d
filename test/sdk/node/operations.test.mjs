// The official openai SDK's operations besides chat, unmodified, against a running Plenum.

import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI, { toFile } from 'openai';
import { KEY, PNG, URL } from './kit.mjs';

const client = new OpenAI({ apiKey: KEY, baseURL: `${URL}/v1`, maxRetries: 0 });
const VECTOR = [0.5, -1.25, 5];

test('embeddings, packed and plain', async () => {
  const packed = await client.embeddings.create({ model: 'other/e', input: ['alpha'] });
  assert.deepEqual(Array.from(packed.data[0].embedding), VECTOR);
  const plain = await client.embeddings.create({ model: 'other/e', input: 'alpha', encoding_format: 'float' });
  assert.deepEqual(plain.data[0].embedding, VECTOR);
});

test('moderations', async () => {
  assert.ok((await client.moderations.create({ model: 'other/m', input: 'I hate it' })).results[0].flagged);
});

test('images', async () => {
  assert.equal((await client.images.generate({ model: 'other/i', prompt: 'A dot' })).data[0].b64_json, PNG);
  const kinds = [];
  for await (const e of await client.images.generate({ model: 'other/i', prompt: 'A dot', stream: true })) kinds.push(e.type);
  assert.deepEqual(kinds, ['image_generation.partial_image', 'image_generation.completed']);
});

test('speech', async () => {
  const sound = await client.audio.speech.create({ model: 'other/s', input: 'Hello', voice: 'alloy' });
  assert.equal(Buffer.from(await sound.arrayBuffer()).toString('latin1').slice(-5), 'Hello');
});

test('transcriptions', async () => {
  const file = () => toFile(Buffer.from([0, 255, 13, 10]), 'a.wav');
  assert.equal((await client.audio.transcriptions.create({ model: 'other/t', file: await file() })).text, '4 bytes for t');
  const kinds = [];
  for await (const e of await client.audio.transcriptions.create({ model: 'other/t', file: await file(), stream: true })) kinds.push(e.type);
  assert.deepEqual(kinds, ['transcript.text.delta', 'transcript.text.done']);
});
