// Locks that several servers hold together, as programs take them with redlock. usage: node redlock.cjs PROTOCOL PORT...
"use strict";
const assert = require("node:assert");
const Redis = require("ioredis");
const Redlock = require("redlock");

const [protocol, ...ports] = process.argv.slice(2).map(Number);
// Locks that are still held when they are asked about.
const LONG = 60000;

const clients = ports.map((port) => new Redis({ port, protocol, retryStrategy: null, maxRetriesPerRequest: 0 }));
clients.forEach((client) => client.on("error", () => {}));
const impatient = new Redlock(clients, { retryCount: 0 });
const patient = new Redlock(clients, { retryCount: 1000, retryDelay: 5, retryJitter: 5 });

async function main() {
  // Who has it keeps everybody else out, until it is given back.
  const lock = await impatient.lock("lock", LONG);
  await assert.rejects(impatient.lock("lock", LONG), Redlock.LockError);
  for (const client of clients) {
    assert.strictEqual(await client.get("lock"), lock.value);
    const left = await client.pttl("lock");
    assert.ok(left > LONG / 2 && left <= LONG, `${left} ms are left`);
  }
  await lock.extend(2 * LONG);
  assert.ok((await clients[0].pttl("lock")) > LONG);
  await lock.unlock();
  assert.strictEqual(await clients[0].exists("lock"), 0);
  await assert.rejects(lock.unlock(), Redlock.LockError);

  // Several resources are locked all or none.
  const both = await impatient.lock(["a", "b"], LONG);
  await assert.rejects(impatient.lock(["b", "c"], LONG), Redlock.LockError);
  assert.strictEqual(await clients[0].exists("c"), 0);
  await both.unlock();

  // A lock that ran out is somebody else's.
  const short = await impatient.lock("lock", 50);
  const next = await patient.lock("lock", LONG);
  await assert.rejects(short.extend(LONG), Redlock.LockError);
  await assert.rejects(short.unlock(), Redlock.LockError);
  await next.unlock();

  // A counter that is read and written in two steps, by many at once.
  await clients[0].set("counter", 0);
  await Promise.all(Array.from({ length: 30 }, async () => {
    const lock = await patient.lock("counting", LONG);
    await clients[0].set("counter", Number(await clients[0].get("counter")) + 1);
    await lock.unlock();
  }));
  assert.strictEqual(await clients[0].get("counter"), "30");

  // The scripts are sent anew to a server that has forgotten them.
  await clients[0].script("FLUSH");
  await (await impatient.lock("lock", LONG)).unlock();

  // One server of three may be gone, two may not.
  const shutdown = (client) => new Promise((resolve) => client.once("end", resolve).shutdown("NOSAVE").catch(() => {}));
  const held = await impatient.lock("lock", LONG);
  await shutdown(clients[2]);
  await held.unlock();
  await (await impatient.lock("lock", LONG)).unlock();
  await shutdown(clients[1]);
  await assert.rejects(impatient.lock("lock", LONG), Redlock.LockError);
  clients[0].disconnect();
  console.log("locks held");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
