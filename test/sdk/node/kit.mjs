// What the suites of both SDKs need: a model's name for each test, and a look at what reached the upstream.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { test as nodeTest } from 'node:test';

export const URL = process.env.PLENUM_URL;
export const KEY = process.env.PLENUM_KEY;
const CONTROL = process.env.PLENUM_SDK_CONTROL;

// A PNG of one pixel and a PDF of one empty page: real files, made for these tests.
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
export const PDF =
  'JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0Nv' +
  'dW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOSA5XT4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290' +
  'IDEgMCBSPj4KJSVFT0YK';
export const GREETING = 'Grüße, 世界! 👋🏽 All is well.';
export const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
  required: ['city', 'unit'],
  additionalProperties: false,
};
export const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, born: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['name', 'born', 'tags'],
  additionalProperties: false,
};
export const PARIS = { city: 'Paris', unit: 'celsius' };
export const LYON = { city: 'Lyon', unit: 'celsius' };
export const ADA = { name: 'Ada Lovelace', born: 1815, tags: ['math', 'engines'] };

export const digest = (b64) => createHash('sha256').update(Buffer.from(b64, 'base64')).digest('hex').slice(0, 16);

/** One upstream as a test sees it: how to call it, and what arrived there. */
export class Side {
  constructor(name) {
    this.name = name;
    this.short = { openai: 'oa', anthropic: 'an' }[name];
    this.mark = randomUUID().slice(0, 8);
  }

  /** The name to call. With retry the gateway tries again by itself; without, only the SDK does. */
  model(scenario, args = '', retry = false) {
    return `${this.short}${retry ? '-retry' : ''}/${this.upstream(scenario, args)}`;
  }

  upstream(scenario, args = '') {
    return `${scenario}:${args ? args + '-' : ''}${this.mark}`;
  }

  async calls(scenario, { args = '', wait = '' } = {}) {
    const q = new URLSearchParams({ model: this.upstream(scenario, args), wait });
    return (await fetch(`${CONTROL}/calls?${q}`)).json();
  }

  /** What the upstream understood of the last request, as both vendors' requests are put. */
  async seen(scenario, args = '') {
    const call = (await this.calls(scenario, { args })).at(-1);
    assert.ok(call, 'nothing reached the upstream');
    assert.ok(!call.refused, call.refused);
    return call.seen;
  }
}

/** Returns a function that declares a test for each upstream, or for one, and writes its outcome down. */
export function suite(sdk) {
  const run = (name, upstream, body) =>
    nodeTest(`${sdk} -> ${upstream}: ${name}`, { timeout: 30_000 }, async () => {
      let outcome = 'failed';
      try {
        await body(upstream === '-' ? undefined : new Side(upstream));
        outcome = 'passed';
      } finally {
        const row = { language: 'node', sdk, upstream: upstream === '-' ? 'plenum' : upstream, test: name, outcome };
        if (process.env.PLENUM_SDK_RESULTS) appendFileSync(process.env.PLENUM_SDK_RESULTS, JSON.stringify(row) + '\n');
      }
    });
  const test = (name, body) => ['openai', 'anthropic'].forEach((u) => run(name, u, body));
  test.only = (upstream, name, body) => run(name, upstream, body);
  test.plain = (name, body) => run(name, '-', body);
  return test;
}

/** Runs what must throw, and returns what it threw if that is of the kind. */
export async function thrown(kind, body) {
  try {
    await body();
  } catch (e) {
    assert.ok(e instanceof kind, `threw ${e?.constructor?.name}: ${e}`);
    return e;
  }
  return assert.fail(`nothing was thrown, ${kind.name} was expected`);
}
