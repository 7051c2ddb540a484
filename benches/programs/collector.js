// The collector's programs for node: reads lines `NAME N`, answers `NS CHECKSUM [PAUSE_NS ..]`.
'use strict';

const { PerformanceObserver, performance } = require('node:perf_hooks');
const readline = require('node:readline');

// An `i64` that wraps.
class Checksum {
  constructor() {
    this.value = 0n;
  }
  fold(more) {
    this.value = BigInt.asIntN(64, this.value * 31n + BigInt(more));
  }
  add(more) {
    this.value = BigInt.asIntN(64, this.value + BigInt(more));
  }
}

class Tree {
  constructor(left, right) {
    this.left = left;
    this.right = right;
  }
}

function build(depth) {
  if (depth === 0) return new Tree(null, null);
  return new Tree(build(depth - 1), build(depth - 1));
}

function nodes(tree) {
  let count = 1;
  if (tree.left !== null) count += nodes(tree.left);
  if (tree.right !== null) count += nodes(tree.right);
  return count;
}

function binaryTrees(n) {
  const checksum = new Checksum();
  checksum.add(nodes(build(n + 1)));
  const kept = build(n);
  for (let depth = 4; depth <= n; depth += 2) {
    let count = 0;
    for (let turn = 0; turn < 1 << (n - depth + 4); turn++) count += nodes(build(depth));
    checksum.fold(count);
  }
  checksum.add(nodes(kept));
  return checksum.value;
}

class Small {
  constructor(a, b, other) {
    this.a = a;
    this.b = b;
    this.other = other;
  }
}

function allocation(n) {
  const ring = new Array(64).fill(null);
  for (let i = 0; i < n; i++) ring[i & 63] = new Small(i, i ^ 5, null);
  const checksum = new Checksum();
  for (const small of ring) checksum.fold((small.a + small.b) | 0);
  return checksum.value;
}

class Link {
  constructor(value, next) {
    this.value = value;
    this.next = next;
  }
}

function chain(value) {
  let chain = null;
  for (let i = 0; i < 16; i++) chain = new Link((value & 0xffff) + i, chain);
  return chain;
}

function sum(chain) {
  let sum = 0;
  for (let link = chain; link !== null; link = link.next) sum += link.value;
  return sum;
}

function pauses(n) {
  const slots = n * 2048;
  const cache = new Array(slots).fill(null);
  for (let i = 0; i < slots; i++) cache[i] = chain(i);
  let checksum = 0;
  let seed = 42;
  for (let step = 0; step < 2 * slots + 200000; step++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    cache[(seed >>> 1) % slots] = chain(step);
    for (let i = 0; i < 4; i++) checksum += sum(chain((seed >> 8) + i));
  }
  for (let i = 0; i < slots; i++) checksum += sum(cache[i]);
  return checksum;
}

const PROGRAMS = { 'binary-trees': binaryTrees, allocation, pauses };

// The collector's own account of how long it stopped the program, in ms.
let stops = [];
new PerformanceObserver((list) => stops.push(...list.getEntries().map((entry) => entry.duration)))
  .observe({ entryTypes: ['gc'] });
const settled = () => new Promise((done) => setTimeout(done, 10));

async function serve() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, n] = line.split(' ');
    await settled();
    stops = [];
    const start = performance.now();
    const checksum = PROGRAMS[name](Number(n));
    const ns = Math.round((performance.now() - start) * 1e6);
    await settled();
    const pauses = stops.map((ms) => Math.round(ms * 1e6));
    process.stdout.write([ns, checksum, ...pauses].join(' ') + '\n');
  }
}

serve();
