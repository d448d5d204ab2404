// What programs in JavaScript do with ioredis, a function for each group of commands. usage: node smoke.cjs PORT PROTOCOL [DIR]
// with the directory of the certificates over TLS
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const Redis = require("ioredis");

const [port, protocol] = process.argv.slice(2).map(Number);
const directory = process.argv[4];
const file = (name) => fs.readFileSync(`${directory}/${name}`);
const tls = directory && { ca: file("ca.crt"), cert: file("client.crt"), key: file("client.key") };
const connect = () => new Redis({ port, protocol, retryStrategy: null, ...(tls && { tls }) });

// Scores, fields and pairs come in the shapes of RESP2 in both protocols: that is how ioredis maps replies unless told otherwise.
const sorted = (list) => [...list].sort();

const groups = {
  async connection(r) {
    assert.strictEqual(await r.ping(), "PONG");
    assert.strictEqual(await r.echo("hello"), "hello");
    assert.strictEqual(await r.client("SETNAME", "smoke"), "OK");
    assert.strictEqual(await r.client("GETNAME"), "smoke");
    assert.match(String(await r.client("INFO")), new RegExp(`resp=${protocol}`));
  },

  async strings(r) {
    assert.strictEqual(await r.set("k", "v", "EX", 100), "OK");
    assert.strictEqual(await r.get("k"), "v");
    assert.strictEqual(await r.get("absent"), null);
    assert.strictEqual(await r.set("k", "w", "NX"), null);
    assert.strictEqual(await r.set("k", "w", "GET"), "v");
    await r.mset("a", 1, "b", 2);
    assert.deepStrictEqual(await r.mget("a", "absent", "b"), ["1", null, "2"]);
    assert.strictEqual(await r.incrby("n", 42), 42);
    assert.strictEqual(await r.incrbyfloat("f", 0.5), "0.5");
    assert.strictEqual(await r.append("k", "!"), 2);
    assert.strictEqual(await r.getrange("k", 0, 0), "w");
    const bytes = Buffer.from([0, 13, 10, 255]);
    await r.set("bytes", bytes);
    assert.deepStrictEqual(await r.getBuffer("bytes"), bytes);
    assert.strictEqual(await r.getdel("k"), "w!");
  },

  async keys(r) {
    const all = Array.from({ length: 100 }, (_, i) => `key:${i}`);
    await r.mset(...all.flatMap((key) => [key, 1]));
    const found = new Set();
    for await (const page of r.scanStream({ match: "key:*", count: 7 })) page.forEach((key) => found.add(key));
    assert.strictEqual(found.size, 100);
    assert.strictEqual(await r.expire("key:1", 50), 1);
    assert.strictEqual(await r.persist("key:1"), 1);
    assert.strictEqual(await r.ttl("key:1"), -1);
    assert.strictEqual(await r.type("key:1"), "string");
    await r.restore("key:r", 0, await r.dumpBuffer("key:1"));
    assert.strictEqual(await r.get("key:r"), "1");
    assert.strictEqual(await r.del("key:r", "key:1", "absent"), 2);
    assert.strictEqual(await r.dbsize(), 99);
  },

  async lists(r) {
    assert.strictEqual(await r.rpush("l", 1, 2, 3), 3);
    assert.strictEqual(await r.lpush("l", 0), 4);
    assert.deepStrictEqual(await r.lrange("l", 0, -1), ["0", "1", "2", "3"]);
    assert.strictEqual(await r.lindex("l", 1), "1");
    assert.strictEqual(await r.lpos("l", "2"), 2);
    assert.strictEqual(await r.linsert("l", "BEFORE", "1", "y"), 5);
    assert.strictEqual(await r.lrem("l", 1, "y"), 1);
    assert.deepStrictEqual(await r.lpop("l", 2), ["0", "1"]);
    assert.strictEqual(await r.lmove("l", "m", "LEFT", "RIGHT"), "2");
    assert.deepStrictEqual(await r.blpop("none", "m", 1), ["m", "2"]);
    assert.strictEqual(await r.blpop("none", 0.05), null);
    const other = connect();
    const waiting = other.blpop("later", 10);
    await r.rpush("later", "x");
    assert.deepStrictEqual(await waiting, ["later", "x"]);
    other.disconnect();
  },

  async sets(r) {
    assert.strictEqual(await r.sadd("s", "a", "b", "c"), 3);
    assert.strictEqual(await r.sadd("t", "b", "c", "d"), 3);
    assert.deepStrictEqual(sorted(await r.smembers("s")), ["a", "b", "c"]);
    assert.deepStrictEqual(await r.smismember("s", "a", "x"), [1, 0]);
    assert.deepStrictEqual(sorted(await r.sinter("s", "t")), ["b", "c"]);
    assert.deepStrictEqual(sorted(await r.sunion("s", "t")), ["a", "b", "c", "d"]);
    assert.deepStrictEqual(await r.sdiff("s", "t"), ["a"]);
    assert.strictEqual(await r.sinterstore("u", "s", "t"), 2);
    assert.strictEqual(await r.smove("s", "t", "a"), 1);
    assert.strictEqual(await r.srem("s", "b"), 1);
    assert.strictEqual(await r.spop("s"), "c");
  },

  async hashes(r) {
    assert.strictEqual(await r.hset("h", { a: 1, b: "two" }), 2);
    assert.deepStrictEqual(await r.hgetall("h"), { a: "1", b: "two" });
    assert.deepStrictEqual(await r.hmget("h", "a", "x"), ["1", null]);
    assert.strictEqual(await r.hincrby("h", "a", 4), 5);
    assert.strictEqual(await r.hincrbyfloat("h", "f", 1.5), "1.5");
    assert.deepStrictEqual(sorted(await r.hkeys("h")), ["a", "b", "f"]);
    assert.strictEqual(await r.hlen("h"), 3);
    const [cursor, fields] = await r.hscan("h", 0);
    assert.strictEqual(cursor, "0");
    assert.strictEqual(fields.length, 6);
    assert.strictEqual(await r.hdel("h", "a", "b", "f"), 3);
    assert.strictEqual(await r.exists("h"), 0);
  },

  async sortedSets(r) {
    assert.strictEqual(await r.zadd("z", 1, "a", 2, "b", 3.5, "c"), 3);
    assert.deepStrictEqual(await r.zrange("z", 0, -1, "WITHSCORES"), ["a", "1", "b", "2", "c", "3.5"]);
    assert.deepStrictEqual(await r.zrange("z", "-inf", "(3", "BYSCORE"), ["a", "b"]);
    assert.strictEqual(String(await r.zscore("z", "c")), "3.5");
    assert.strictEqual(await r.zrank("z", "b"), 1);
    assert.strictEqual(String(await r.zincrby("z", 10, "a")), "11");
    assert.strictEqual(await r.zcount("z", 2, "+inf"), 3);
    assert.strictEqual(await r.zadd("y", 1, "a", 9, "q"), 2);
    assert.deepStrictEqual(await r.zdiff(2, "y", "z"), ["q"]);
    assert.strictEqual(await r.zunionstore("x", 2, "y", "z"), 4);
    assert.deepStrictEqual((await r.zpopmin("y")).flat().map(String), ["a", "1"]);
    assert.deepStrictEqual((await r.bzpopmax("none", "y", 1)).flat().map(String), ["y", "q", "9"]);
    assert.strictEqual(await r.zrem("z", "a", "b"), 2);
  },

  async bitmaps(r) {
    assert.strictEqual(await r.setbit("b", 7, 1), 0);
    assert.strictEqual(await r.getbit("b", 7), 1);
    await r.set("b", Buffer.from([255, 240, 0]));
    assert.strictEqual(await r.bitcount("b"), 12);
    assert.strictEqual(await r.bitcount("b", 4, 11, "BIT"), 8);
    assert.strictEqual(await r.bitpos("b", 0), 12);
    await r.set("c", Buffer.from([15, 31]));
    assert.strictEqual(await r.bitop("AND", "d", "b", "c"), 3);
    assert.deepStrictEqual(await r.getBuffer("d"), Buffer.from([15, 16, 0]));
    const changes = ["SET", "u8", 0, 200, "OVERFLOW", "SAT", "INCRBY", "u8", 0, 100, "GET", "i4", "#1"];
    assert.deepStrictEqual(await r.bitfield("f", ...changes), [0, 255, -1]);
    assert.deepStrictEqual(await r.bitfield_ro("f", "GET", "u4", 4), [15]);
  },

  async hyperloglogs(r) {
    assert.strictEqual(await r.pfadd("h", "a", "b", "c"), 1);
    assert.strictEqual(await r.pfcount("h"), 3);
    await r.pfadd("i", ...Array.from({ length: 1000 }, (_, n) => `element:${n}`));
    const both = await r.pfcount("h", "i");
    assert.ok(both > 950 && both < 1053);
    assert.strictEqual(await r.pfmerge("j", "h", "i"), "OK");
    assert.strictEqual(await r.pfcount("j"), both);
  },

  async places(r) {
    assert.strictEqual(await r.geoadd("g", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"), 2);
    assert.strictEqual(await r.geodist("g", "Palermo", "Catania", "km"), "166.2742");
    assert.deepStrictEqual(await r.geohash("g", "Palermo", "x"), ["sqc8b49rny0", null]);
    const [palermo, nowhere] = await r.geopos("g", "Palermo", "x");
    assert.ok(Math.abs(palermo[0] - 13.361389) < 1e-5 && Math.abs(palermo[1] - 38.115556) < 1e-5);
    assert.strictEqual(nowhere, null);
    assert.deepStrictEqual(await r.geosearch("g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "ASC"), ["Catania", "Palermo"]);
    assert.deepStrictEqual(await r.geosearch("g", "FROMMEMBER", "Palermo", "BYBOX", 400, 400, "km", "DESC", "COUNT", 1, "WITHDIST"), [["Catania", "166.2742"]]);
    assert.strictEqual(await r.geosearchstore("d", "g", "FROMLONLAT", 15, 37, "BYRADIUS", 100, "km", "STOREDIST"), 1);
    assert.deepStrictEqual(await r.georadius("g", 15, 37, 200, "km", "WITHDIST", "COUNT", 1), [["Catania", "56.4413"]]);
  },

  async streams(r) {
    assert.strictEqual(await r.xadd("s", "1-1", "a", 1), "1-1");
    assert.strictEqual(await r.xadd("s", "1-*", "a", 2), "1-2");
    const later = await r.xadd("s", "*", "a", 3, "b", "x");
    assert.strictEqual(await r.xlen("s"), 3);
    assert.deepStrictEqual(await r.xrange("s", "-", "(1-2"), [["1-1", ["a", "1"]]]);
    assert.deepStrictEqual(await r.xrevrange("s", "+", "-", "COUNT", 1), [[later, ["a", "3", "b", "x"]]]);
    const entries = (reply) => (Array.isArray(reply) ? reply.find(([name]) => name === "s")[1] : reply.s);
    const ids = (found) => found.map(([id]) => id);
    assert.deepStrictEqual(ids(entries(await r.xread("COUNT", 1, "STREAMS", "s", "1-1"))), ["1-2"]);
    assert.strictEqual(await r.xread("BLOCK", 10, "STREAMS", "s", "$"), null);
    assert.strictEqual(await r.xgroup("CREATE", "s", "g", 0), "OK");
    assert.deepStrictEqual(ids(entries(await r.xreadgroup("GROUP", "g", "me", "COUNT", 2, "STREAMS", "s", ">"))), ["1-1", "1-2"]);
    assert.strictEqual(await r.xack("s", "g", "1-1"), 1);
    assert.deepStrictEqual(await r.xpending("s", "g"), [1, "1-2", "1-2", [["me", "1"]]]);
    assert.deepStrictEqual(await r.xclaim("s", "g", "other", 0, "1-2", "JUSTID"), ["1-2"]);
    const [cursor, claimed, deleted] = await r.xautoclaim("s", "g", "third", 0, "0");
    assert.deepStrictEqual([cursor, ids(claimed), deleted], ["0-0", ["1-2"], []]);
    assert.strictEqual((await r.xinfo("CONSUMERS", "s", "g")).length, 3);
    assert.strictEqual(await r.xdel("s", "1-1"), 1);
    assert.strictEqual(await r.xtrim("s", "MAXLEN", 1), 1);
    const other = connect();
    const waiting = other.xread("BLOCK", 10000, "STREAMS", "s", later);
    const last = await r.xadd("s", "*", "a", "z");
    assert.deepStrictEqual(ids(entries(await waiting)), [last]);
    other.disconnect();
  },

  async sorting(r) {
    await r.rpush("l", 3, 1, 2);
    assert.deepStrictEqual(await r.sort("l"), ["1", "2", "3"]);
    await r.mset("w1", 9, "w2", 8, "w3", 7);
    assert.deepStrictEqual(await r.sort("l", "BY", "w*", "GET", "#", "GET", "w*"), ["3", "7", "2", "8", "1", "9"]);
  },

  async transactions(r) {
    const replies = await r.multi().set("a", 1).incr("a").lpush("l", "x").exec();
    assert.deepStrictEqual(replies, [[null, "OK"], [null, 2], [null, 1]]);
    await r.watch("a");
    const other = connect();
    await other.set("a", 5);
    assert.strictEqual(await r.multi().incr("a").exec(), null);
    other.disconnect();
    const [[, got], [wrong]] = await r.pipeline().get("a").lpush("a", 1).exec();
    assert.strictEqual(got, "5");
    assert.match(wrong.message, /^WRONGTYPE/);
  },

  async scripts(r) {
    assert.deepStrictEqual(await r.eval("return {KEYS[1], ARGV[1], ARGV[2]}", 1, "k", "a", 2), ["k", "a", "2"]);
    assert.deepStrictEqual(await r.eval("return {1, 2.9, 'x', false, {4, {5}}, nil, 6}", 0), [1, 2, "x", null, [4, [5]]]);
    r.defineCommand("add", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
    assert.strictEqual(await r.add("n", 1), 1);
    assert.strictEqual(await r.add("n", 2), 3);
    r.defineCommand("echoed", { lua: "return {#KEYS, ARGV[1]}" });
    const bytes = Buffer.from([0, 13, 10, 255]);
    assert.deepStrictEqual(await r.echoedBuffer(2, "a", "b", bytes), [2, bytes]);
    r.defineCommand("look", { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1])", readOnly: true });
    assert.strictEqual(await r.look("n"), "3");
    // The text is sent anew to a server that has forgotten it, also from within a pipeline and a transaction.
    assert.strictEqual(await r.script("FLUSH"), "OK");
    assert.strictEqual(await r.add("n", 3), 6);
    await r.script("FLUSH");
    assert.deepStrictEqual(await r.pipeline().add("n", 4).look("n").exec(), [[null, 10], [null, "10"]]);
    assert.deepStrictEqual(await r.multi().add("n", 5).get("n").exec(), [[null, 15], [null, "15"]]);
    const hash = await r.script("LOAD", "return 1");
    assert.strictEqual(hash, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    assert.deepStrictEqual(await r.script("EXISTS", hash, "0".repeat(40)), [1, 0]);
    assert.strictEqual(await r.evalsha(hash, 0), 1);
    await assert.rejects(r.evalsha("0".repeat(40), 0), /^ReplyError: NOSCRIPT No matching script/);
    await assert.rejects(r.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "n"), /WRONGTYPE/);
    await assert.rejects(r.eval("return redis.error_reply('MINE it is')", 0), /^ReplyError: MINE it is$/);
    await assert.rejects(r.script("KILL"), /NOTBUSY/);
  },

  async functions(r) {
    const code = "#!lua name=smoke\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)";
    assert.strictEqual(await r.function("LOAD", code), "smoke");
    await assert.rejects(r.function("LOAD", code), /Library 'smoke' already exists/);
    assert.strictEqual(await r.fcall("put", 1, "k", "v"), "OK");
    await assert.rejects(r.fcall_ro("put", 1, "k", "v"), /Can not execute a script with write flag/);
    const payload = await r.functionBuffer("DUMP");
    assert.strictEqual(await r.function("FLUSH"), "OK");
    assert.strictEqual(await r.function("RESTORE", payload), "OK");
    assert.strictEqual((await r.function("LIST")).length, 1);
    assert.strictEqual(await r.function("DELETE", "smoke"), "OK");
  },

  async publishing(r) {
    const subscriber = connect();
    const got = [];
    const both = new Promise((resolve) => {
      const note = (entry) => got.push(entry) === 2 && resolve();
      subscriber.on("message", (channel, text) => note([channel, text]));
      subscriber.on("pmessage", (pattern, channel, text) => note([pattern, channel, text]));
    });
    assert.strictEqual(await subscriber.subscribe("news"), 1);
    assert.strictEqual(await subscriber.psubscribe("w*"), 2);
    assert.strictEqual(await r.publish("news", "hello"), 1);
    assert.strictEqual(await r.publish("weather", "fair"), 1);
    await both;
    assert.deepStrictEqual(got, [["news", "hello"], ["w*", "weather", "fair"]]);
    assert.strictEqual(await subscriber.unsubscribe("news"), 1);
    subscriber.disconnect();
  },

  async server(r) {
    assert.match(String(await r.info("server")), /redis_version:7\./);
    assert.strictEqual(await r.config("SET", "slowlog-max-len", 64), "OK");
    assert.strictEqual((await r.time()).length, 2);
    assert.strictEqual((await r.role())[0], "master");
    assert.ok((await r.command("COUNT")) > 150);
    assert.strictEqual(await r.flushdb(), "OK");
  },
};

(async () => {
  for (const [name, group] of Object.entries(groups)) {
    const client = connect();
    await client.flushall();
    await group(client).catch((error) => {
      throw new Error(`${name}: ${error.stack}`);
    });
    client.disconnect();
  }
  console.log(`${Object.keys(groups).length} groups`);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
