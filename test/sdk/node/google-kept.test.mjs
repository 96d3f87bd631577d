// The official @google/genai SDK, unmodified: what Google keeps for its callers, at a vendor that is played here.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { KEY, URL as BASE, suite } from './kit.mjs';

const test = suite('google_kept');
const PORT = Number(process.env.PLENUM_SDK_REALTIME_PORT);
const client = new GoogleGenAI({
  apiKey: KEY, httpOptions: { baseUrl: BASE, timeout: 30_000, headers: { 'plenum-deployment': 'gem' } },
});

/** Google's files and cached contents, as far as these tests go. */
const google = { files: new Map(), asked: [], about: {}, sent: Buffer.alloc(0) };

function answer(req, body) {
  const path = req.url.split('?')[0];
  google.asked.push({ url: req.url, key: req.headers['x-goog-api-key'] });
  const name = path.split('/').slice(2).join('/');
  if (path.startsWith('/upload')) return uploaded(req, path, body);
  if (name === 'files') return [{ files: [...google.files.values(), { name: 'files/foreign' }] }];
  if (name === 'cachedContents') return [{ name: 'cachedContents/c1', model: JSON.parse(body).model }];
  if (req.method === 'DELETE') return google.files.delete(name), [{}];
  return [google.files.get(name) ?? { name }];
}

function uploaded(req, path, body) {
  const command = req.headers['x-goog-upload-command'] ?? '';
  if (command === 'start') {
    google.about = JSON.parse(body).file;
    google.sent = Buffer.alloc(0);
    const at = `http://127.0.0.1:${PORT}${path}?upload_id=up-1&upload_protocol=resumable`;
    return [{}, { 'X-Goog-Upload-URL': at, 'X-Goog-Upload-Status': 'active' }];
  }
  google.sent = Buffer.concat([google.sent, body]);
  if (!command.includes('finalize')) return [{}, { 'X-Goog-Upload-Status': 'active' }];
  const file = {
    name: 'files/abc1', uri: 'https://generativelanguage.googleapis.com/v1beta/files/abc1', state: 'ACTIVE',
    mimeType: google.about.mimeType, sizeBytes: String(google.sent.length),
  };
  google.files.set(file.name, file);
  return [{ file }, { 'X-Goog-Upload-Status': 'final' }];
}

const server = createServer(async (req, res) => {
  const pieces = [];
  for await (const p of req) pieces.push(p);
  const [body, headers] = answer(req, Buffer.concat(pieces));
  res.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
});
before(() => new Promise((done) => server.listen(PORT, '127.0.0.1', done)));
after(() => {
  server.closeAllConnections();
  server.close();
});

test.plain('files', async () => {
  const data = randomBytes(9 << 20); // in two pieces
  const f = await client.files.upload({ file: new Blob([data]), config: { mimeType: 'application/octet-stream' } });
  assert.equal(f.name, 'files/abc1');
  assert.equal(Number(f.sizeBytes), data.length);
  assert.ok(google.sent.equals(data));
  assert.equal((await client.files.get({ name: f.name })).uri, f.uri);
  const names = [];
  for await (const x of await client.files.list()) names.push(x.name);
  assert.deepEqual(names, [f.name]); // and not another's
  await client.files.delete({ name: f.name });
  await assert.rejects(client.files.get({ name: f.name }), (e) => e instanceof ApiError && e.status === 404);
  assert.ok(google.asked.length >= 5 && google.asked.every((a) => a.key === process.env.VENDOR_KEY));
  assert.ok(!google.asked.some((a) => a.url.includes(KEY) || a.url.includes('plenum')));
});

test.plain('cached contents', async () => {
  const c = await client.caches.create({ model: 'gem', config: { contents: [{ role: 'user', parts: [{ text: 'long' }] }] } });
  assert.equal(c.name, 'cachedContents/c1');
  assert.equal((await client.caches.get({ name: c.name })).name, c.name);
  await client.caches.delete({ name: c.name });
  await assert.rejects(client.caches.get({ name: 'cachedContents/other' }), (e) => e instanceof ApiError && e.status === 404);
});
