// Limits as programs set them with rate-limiter-flexible. usage: node rate_limiter.cjs PORT PROTOCOL
"use strict";
const assert = require("node:assert");
const Redis = require("ioredis");
const { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterRes, RateLimiterUnion } = require("rate-limiter-flexible");

const [port, protocol] = process.argv.slice(2).map(Number);
const storeClient = new Redis({ port, protocol, retryStrategy: null });
// Seconds that no test lives to see the end of.
const LONG = 3600;

const limiterOf = (keyPrefix, options) => new RateLimiterRedis({ storeClient, keyPrefix, duration: LONG, ...options });
const isRefusal = (refusal) => refusal instanceof RateLimiterRes;

async function main() {
  // Many at once: as many as there are points come through, and each is told what was left.
  const limiter = limiterOf("limit", { points: 10 });
  const tries = await Promise.allSettled(Array.from({ length: 25 }, () => limiter.consume("user")));
  const taken = tries.filter((one) => one.status === "fulfilled").map((one) => one.value);
  const refused = tries.filter((one) => one.status === "rejected").map((one) => one.reason);
  assert.deepStrictEqual(taken.map((one) => one.remainingPoints), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  assert.deepStrictEqual(taken.map((one) => one.isFirstInDuration), [true, ...Array(9).fill(false)]);
  assert.strictEqual(refused.length, 15);
  for (const one of [...taken, ...refused]) {
    assert.ok(isRefusal(one));
    assert.ok(one.msBeforeNext > (LONG - 60) * 1000 && one.msBeforeNext <= LONG * 1000, `${one.msBeforeNext} ms`);
  }
  assert.strictEqual((await limiter.get("user")).consumedPoints, 25);
  assert.strictEqual(await limiter.get("nobody"), null);
  assert.strictEqual((await limiter.consume("other", 4)).remainingPoints, 6);

  // Points are given back and taken away.
  assert.strictEqual((await limiter.penalty("other", 5)).consumedPoints, 9);
  assert.strictEqual((await limiter.reward("other", 3)).consumedPoints, 6);
  assert.strictEqual((await limiter.set("other", 9, LONG)).consumedPoints, 9);
  await limiter.consume("other");
  await assert.rejects(limiter.consume("other"), isRefusal);
  assert.strictEqual(await limiter.delete("other"), true);
  assert.strictEqual(await limiter.delete("other"), false);
  assert.strictEqual((await limiter.consume("other")).consumedPoints, 1);

  // Who asks for too much is blocked for longer, and blocking is a matter of its own.
  const strict = limiterOf("strict", { points: 1, blockDuration: 2 * LONG });
  await strict.consume("user");
  await assert.rejects(strict.consume("user"), (refusal) => refusal.msBeforeNext > LONG * 1000);
  assert.ok((await storeClient.pttl("strict:user")) > LONG * 1000);
  await limiter.block("blocked", LONG);
  await assert.rejects(limiter.consume("blocked"), isRefusal);

  // A key is free again when its time is over.
  const quick = limiterOf("quick", { points: 1, duration: 1 });
  await quick.consume("user");
  const refusal = await quick.consume("user").then(() => assert.fail("it came through"), (refusal) => refusal);
  assert.ok(refusal.msBeforeNext > 0 && refusal.msBeforeNext <= 1000);
  while (await storeClient.exists("quick:user")) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.strictEqual((await quick.consume("user")).consumedPoints, 1);

  // Limits together: both, one after the other, or in a queue.
  const both = new RateLimiterUnion(limiterOf("few", { points: 2 }), limiterOf("many", { points: 5 }));
  assert.deepStrictEqual(Object.keys(await both.consume("user")).sort(), ["few", "many"]);
  await both.consume("user");
  await assert.rejects(both.consume("user"), (refusal) => isRefusal(refusal.few) && refusal.many === undefined);
  const bursty = new BurstyRateLimiter(limiterOf("steady", { points: 1 }), limiterOf("burst", { points: 2 }));
  for (let n = 0; n < 3; n++) await bursty.consume("user");
  await assert.rejects(bursty.consume("user"), isRefusal);
  const queue = new RateLimiterQueue(limiterOf("queue", { points: 3, duration: 1 }));
  await Promise.all(Array.from({ length: 5 }, () => queue.removeTokens(1)));

  // No duration: the points never come back.
  const ever = limiterOf("ever", { points: 1, duration: 0 });
  assert.strictEqual((await ever.consume("user")).msBeforeNext, -1);
  assert.strictEqual(await storeClient.pttl("ever:user"), -1);

  // The script is sent anew to a server that has forgotten it.
  await storeClient.script("FLUSH");
  await limiterOf("after", { points: 1 }).consume("user");
  storeClient.disconnect();
  console.log("limits kept");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
