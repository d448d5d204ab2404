"""What programs in Python do with redis-py, a function for each group of commands. usage: smoke.py PORT PROTOCOL [DIR]
with the directory of the certificates over TLS"""

import sys
import threading
import time

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
TLS = {}
if sys.argv[3:]:
    files = {"ssl_ca_certs": "ca.crt", "ssl_certfile": "client.crt", "ssl_keyfile": "client.key"}
    TLS = {"ssl": True} | {option: f"{sys.argv[3]}/{file}" for option, file in files.items()}


def connect(**options):
    return redis.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True, **TLS, **options)


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def flat(reply):
    """Pairs, however a protocol nests them, as a list of pairs."""
    return [tuple(pair) for pair in reply]


def connection(r):
    equal(r.ping(), True)
    equal(r.echo("hello"), "hello")
    equal(r.client_setname("smoke"), True)
    equal(r.client_getname(), "smoke")
    assert any(client["name"] == "smoke" for client in r.client_list())
    equal(r.client_info()["resp"], str(PROTOCOL))
    assert r.client_id() > 0


def strings(r):
    equal(r.set("k", "v", ex=100), True)
    equal(r.get("k"), "v")
    equal(r.get("absent"), None)
    equal(r.set("k", "w", nx=True), None)
    equal(r.set("k", "w", get=True), "v")
    equal(r.mset({"a": 1, "b": 2}), True)
    equal(r.mget("a", "absent", "b"), ["1", None, "2"])
    equal((r.incr("n"), r.incrby("n", 41), r.decr("n")), (1, 42, 41))
    equal(r.incrbyfloat("f", 0.5), 0.5)
    equal((r.append("k", "!"), r.strlen("k"), r.getrange("k", 0, 0)), (2, 2, "w"))
    equal(r.setrange("k", 1, "xyz"), 4)
    equal((r.getdel("k"), r.exists("k")), ("wxyz", 0))
    equal(r.getex("a", px=10_000), "1")
    assert 0 < r.pttl("a") <= 10_000


def keys(r):
    r.mset({f"key:{i}": i for i in range(100)})
    equal(len(set(r.scan_iter(match="key:*", count=7))), 100)
    equal((r.type("key:1"), r.rename("key:1", "key:x"), r.exists("key:x", "key:1")), ("string", True, 1))
    equal((r.expire("key:x", 50), r.persist("key:x"), r.ttl("key:x")), (True, True, -1))
    equal(r.copy("key:x", "key:y"), True)
    equal(r.object("encoding", "key:x"), "int")
    equal((r.delete("key:x", "key:y"), r.unlink("key:2"), r.touch("key:3")), (2, 1, 1))
    equal(r.restore("key:r", 0, redis.Redis(port=PORT, **TLS).dump("key:3")), "OK")
    equal(r.get("key:r"), "3")
    assert r.randomkey()
    equal(r.dbsize(), 99)


def lists(r):
    equal((r.rpush("l", 1, 2, 3), r.lpush("l", 0), r.llen("l")), (3, 4, 4))
    equal(r.lrange("l", 0, -1), ["0", "1", "2", "3"])
    equal((r.lindex("l", 1), r.lpos("l", "2"), r.lset("l", 0, "z")), ("1", 2, True))
    equal((r.linsert("l", "before", "1", "y"), r.lrem("l", 1, "y"), r.ltrim("l", 0, 2)), (5, 1, True))
    equal((r.lpop("l"), r.rpop("l", 2), r.exists("l")), ("z", ["2", "1"], 0))
    r.rpush("l", "a", "b")
    equal(r.lmove("l", "m", "LEFT", "RIGHT"), "a")
    equal(list(r.lmpop(2, "none", "l", direction="LEFT")), ["l", ["b"]])
    equal(list(r.blpop(["none", "m"], 1)), ["m", "a"])
    equal(r.blpop("none", 0.05), None)
    waiting = threading.Thread(target=lambda: (time.sleep(0.05), connect().rpush("later", "x")))
    waiting.start()
    equal(list(r.blpop("later", 10)), ["later", "x"])
    waiting.join()


def sets(r):
    equal((r.sadd("s", "a", "b", "c"), r.scard("s"), r.sismember("s", "a")), (3, 3, 1))
    equal([bool(x) for x in r.smismember("s", ["a", "x"])], [True, False])
    equal(set(r.smembers("s")), {"a", "b", "c"})
    r.sadd("t", "b", "c", "d")
    equal((set(r.sinter("s", "t")), set(r.sunion("s", "t")), set(r.sdiff("s", "t"))), ({"b", "c"}, {"a", "b", "c", "d"}, {"a"}))
    equal((r.sinterstore("u", "s", "t"), r.sintercard(2, ["s", "t"]), r.smove("s", "t", "a")), (2, 2, True))
    equal((r.srem("s", "b"), r.spop("s"), r.exists("s")), (1, "c", 0))
    assert r.srandmember("t") in {"a", "b", "c", "d"}
    equal(set(r.sscan_iter("t")), {"a", "b", "c", "d"})


def hashes(r):
    equal(r.hset("h", mapping={"a": 1, "b": "two"}), 2)
    equal((r.hget("h", "a"), r.hget("h", "x"), r.hgetall("h")), ("1", None, {"a": "1", "b": "two"}))
    equal((r.hmget("h", "a", "x"), r.hlen("h"), r.hexists("h", "b"), r.hstrlen("h", "b")), (["1", None], 2, True, 3))
    equal((r.hincrby("h", "a", 4), r.hincrbyfloat("h", "f", 1.5), r.hsetnx("h", "a", 0)), (5, 1.5, 0))
    equal((set(r.hkeys("h")), set(r.hvals("h"))), ({"a", "b", "f"}, {"5", "two", "1.5"}))
    equal(dict(r.hscan_iter("h")), {"a": "5", "b": "two", "f": "1.5"})
    assert r.hrandfield("h") in {"a", "b", "f"}
    equal((r.hdel("h", "a", "b", "f"), r.exists("h")), (3, 0))


def sorted_sets(r):
    equal((r.zadd("z", {"a": 1, "b": 2, "c": 3.5}), r.zcard("z"), r.zscore("z", "c")), (3, 3, 3.5))
    equal(flat(r.zrange("z", 0, -1, withscores=True)), [("a", 1.0), ("b", 2.0), ("c", 3.5)])
    equal(r.zrange("z", "-inf", "(3", byscore=True), ["a", "b"])
    equal(r.zrevrange("z", 0, 0), ["c"])
    equal((r.zrank("z", "b"), r.zrevrank("z", "b"), r.zcount("z", 1, 2), r.zmscore("z", ["a", "x"])), (1, 1, 2, [1.0, None]))
    equal((r.zincrby("z", 10, "a"), r.zadd("z", {"a": 1}, nx=True), r.zadd("z", {"a": 12}, gt=True, ch=True)), (11.0, 0, 1))
    equal((r.zrem("z", "b"), r.zremrangebyscore("z", 0, 3), r.zlexcount("z", "-", "+")), (1, 0, 2))
    r.zadd("y", {"a": 1, "q": 9})
    equal(flat(r.zunion(["y", "z"], withscores=True)), [("c", 3.5), ("q", 9.0), ("a", 13.0)])
    equal((r.zinterstore("x", ["y", "z"]), r.zdiff(["y", "z"])), (1, ["q"]))
    equal(dict(r.zscan_iter("y")), {"a": 1.0, "q": 9.0})
    popped = r.zpopmin("y")
    equal(list(popped[0] if isinstance(popped[0], (list, tuple)) else popped), ["a", 1.0])
    equal([str(x) for x in r.bzpopmax(["none", "y"], 1)], ["y", "q", "9.0"])
    assert r.zrandmember("z") in {"a", "c"}


def bitmaps(r):
    equal((r.setbit("b", 7, 1), r.setbit("b", 7, 0), r.getbit("b", 7), r.getbit("b", 100)), (0, 1, 0, 0))
    r.set("b", b"\xff\xf0\x00")
    equal((r.bitcount("b"), r.bitcount("b", 1, -1), r.bitcount("b", 4, 11, "BIT")), (12, 4, 8))
    equal((r.bitpos("b", 0), r.bitpos("b", 1, 2), r.bitpos("b", 1, 8, 23, "BIT")), (12, -1, 8))
    r.set("c", b"\x0f\x1f")
    equal((r.bitop("AND", "d", "b", "c"), r.bitcount("d"), r.bitop("XOR", "d", "b", "c"), r.bitcount("d")), (3, 5, 3, 11))
    equal(r.bitfield("f").set("u8", 0, 200).incrby("u8", 0, 100, "SAT").get("i4", "#1").execute(), [0, 255, -1])
    equal(r.bitfield("f", "FAIL").incrby("u8", 0, 1).execute(), [None])
    equal(r.bitfield_ro("f", "u4", 4), [15])


def hyperloglogs(r):
    equal((r.pfadd("h", "a", "b", "c"), r.pfadd("h", "a"), r.pfcount("h")), (1, 0, 3))
    r.pfadd("i", *[f"element:{n}" for n in range(1000)])
    assert 950 < r.pfcount("i") < 1050
    assert 950 < r.pfcount("h", "i") < 1053
    equal((r.pfmerge("j", "h", "i"), r.pfcount("j")), (True, r.pfcount("h", "i")))


def places(r):
    sicily = (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
    equal((r.geoadd("g", sicily), r.geoadd("g", sicily, ch=True), r.geoadd("g", (1, 1, "x"), xx=True)), (2, 0, 0))
    equal((r.geodist("g", "Palermo", "Catania", "km"), r.geodist("g", "Palermo", "x")), (166.2742, None))
    equal(r.geohash("g", "Palermo", "x"), ["sqc8b49rny0", None])
    palermo, nowhere = r.geopos("g", "Palermo", "x")
    assert abs(palermo[0] - 13.361389) < 1e-5 and abs(palermo[1] - 38.115556) < 1e-5 and nowhere is None
    equal(r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC"), ["Catania", "Palermo"])
    [[member, distance, (longitude, latitude)]] = r.geosearch(
        "g", member="Palermo", width=400, height=400, unit="km", sort="DESC", count=1, withdist=True, withcoord=True
    )
    equal((member, float(distance), round(float(longitude), 4), round(float(latitude), 4)), ("Catania", 166.2742, 15.0873, 37.5027))
    equal((r.geosearchstore("d", "g", longitude=15, latitude=37, radius=100, unit="km", storedist=True), r.zrange("d", 0, -1)), (1, ["Catania"]))
    equal(r.georadius("g", 15, 37, 200, unit="km", sort="ASC", count=1), ["Catania"])
    equal(r.georadiusbymember("g", "Palermo", 200, unit="km", store="d"), 2)


def streams(r):
    equal((r.xadd("s", {"a": 1}, id="1-1"), r.xadd("s", {"a": 2}, id="1-*"), r.xadd("none", {"a": 1}, nomkstream=True)), ("1-1", "1-2", None))
    later = r.xadd("s", {"a": 3, "b": "x"})
    equal((r.xlen("s"), r.xrange("s", "-", "(1-2"), r.xrevrange("s", count=1)), (3, [("1-1", {"a": "1"})], [(later, {"a": "3", "b": "x"})]))
    equal(entries(r.xread({"s": "1-1"}, count=1), "s"), [("1-2", {"a": "2"})])
    assert not r.xread({"s": "$"}, block=10)
    equal((r.xgroup_create("s", "g", id="0"), r.xgroup_createconsumer("s", "g", "idle")), (True, 1))
    equal([id for id, _ in entries(r.xreadgroup("g", "me", {"s": ">"}, count=2), "s")], ["1-1", "1-2"])
    equal(r.xack("s", "g", "1-1", "9-9"), 1)
    pending = r.xpending("s", "g")
    equal((pending["pending"], pending["min"], pending["consumers"]), (1, "1-2", [{"name": "me", "pending": 1}]))
    [details] = r.xpending_range("s", "g", "-", "+", 10)
    equal((details["message_id"], details["consumer"], details["times_delivered"]), ("1-2", "me", 1))
    equal(r.xclaim("s", "g", "other", 0, ["1-2"]), [("1-2", {"a": "2"})])
    cursor, claimed, deleted = r.xautoclaim("s", "g", "third", 0)
    equal((cursor, [id for id, _ in claimed], deleted), ("0-0", ["1-2"], []))
    equal(sorted(consumer["name"] for consumer in r.xinfo_consumers("s", "g")), ["idle", "me", "other", "third"])
    [group] = r.xinfo_groups("s")
    equal((group["name"], group["pending"], group["last-delivered-id"], group["lag"]), ("g", 1, "1-2", 1))
    equal((r.xinfo_stream("s")["length"], r.xdel("s", "1-1"), r.xtrim("s", maxlen=1, approximate=False)), (3, 1, 1))
    equal((r.xgroup_setid("s", "g", "$"), r.xgroup_delconsumer("s", "g", "third"), r.xgroup_destroy("s", "g")), (True, 1, 1))
    waiting = threading.Thread(target=lambda: (time.sleep(0.05), connect().xadd("later", {"a": "x"})))
    waiting.start()
    equal([fields for _, fields in entries(r.xread({"later": "$"}, block=10_000), "later")], [{"a": "x"}])
    waiting.join()


def entries(reply, stream):
    """What a read found in a stream: a map of lists of batches in RESP3, pairs of name and entries in RESP2."""
    if isinstance(reply, dict):
        return [tuple(entry) for batch in reply[stream] for entry in batch]
    [[name, found]] = reply
    equal(name, stream)
    return found


def sorting(r):
    r.rpush("l", 3, 1, 2)
    equal((r.sort("l"), r.sort("l", desc=True, start=0, num=2)), (["1", "2", "3"], ["3", "2"]))
    r.mset({"w1": 9, "w2": 8, "w3": 7})
    equal(r.sort("l", by="w*", get=["#", "w*"]), ["3", "7", "2", "8", "1", "9"])


def transactions(r):
    with r.pipeline(transaction=True) as pipe:
        equal(pipe.set("a", 1).incr("a").lpush("l", "x").execute(), [True, 2, 1])
    with r.pipeline() as pipe:
        pipe.watch("a")
        connect().set("a", 5)
        pipe.multi()
        pipe.incr("a")
        try:
            pipe.execute()
            raise AssertionError("a touched key lets no transaction through")
        except redis.WatchError:
            pass
    with r.pipeline(transaction=False) as pipe:
        replies = pipe.get("a").lpush("a", 1).execute(raise_on_error=False)
        equal(replies[0], "5")
        assert "WRONGTYPE" in str(replies[1])


def scripts(r):
    equal(r.eval("return {KEYS[1], ARGV[1], ARGV[2]}", 1, "k", "a", 2), ["k", "a", "2"])
    equal(r.eval("return {1, 2.9, 'x', false, true, {4, {5}}, nil, 6}", 0), [1, 2, "x", None, 1, [4, [5]]])
    add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    equal([add(keys=["n"], args=[n]) for n in (1, 2, 3)], [1, 3, 6])
    equal(r.script_exists(add.sha, "0" * 40), [True, False])
    equal(r.evalsha(add.sha, 1, "n", 4), 10)
    # The text is sent anew to a server that has forgotten it, also from within a pipeline.
    equal((r.script_flush(), r.script_exists(add.sha)), (True, [False]))
    equal(add(keys=["n"], args=[5]), 15)
    r.script_flush("ASYNC")
    with r.pipeline() as p:
        p.set("m", 1)
        add(keys=["m"], args=[2], client=p)
        add(keys=["m"], args=[3], client=p)
        equal(p.execute(), [True, 3, 6])
    equal(r.script_load("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
    equal(r.eval_ro("return redis.call('GET', KEYS[1])", 1, "m"), "6")
    equal(r.evalsha_ro(r.script_load("return #ARGV"), 0, "a", "b"), 2)
    for error, script in [
        ("Write commands are not allowed from read-only scripts", "return redis.call('SET', KEYS[1], 1)"),
        ("WRONGTYPE|wrong kind of value", "redis.call('LPUSH', KEYS[1], 1)"),
        ("MINE it is", "return redis.error_reply('MINE it is')"),
        ("user_script:1: oh", "error('oh')"),
        ("Error compiling script", "return +"),
    ]:
        try:
            (r.eval_ro if "read-only" in error else r.eval)(script, 1, "m")
        except redis.ResponseError as e:
            assert any(part in str(e) for part in error.split("|")), e
        else:
            raise AssertionError(f"{script} did not fail")
    equal(r.evalsha(r.script_load("return cjson.encode({1, 'x', {a = 1.5}})"), 0), '[1,"x",{"a":1.5}]')
    equal(r.eval("return redis.status_reply('FINE')", 0), "FINE")
    try:
        r.script_kill()
    except redis.exceptions.NoScriptError as e:
        raise AssertionError(e)
    except redis.ResponseError as e:
        assert "No scripts in execution right now" in str(e), e


def functions(r):
    code = "#!lua name=smoke\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)\n"
    code += "redis.register_function{function_name='look', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}"
    equal(r.function_load(code), "smoke")
    equal(r.function_load(code, replace=True), "smoke")
    equal(r.fcall("put", 1, "k", "v"), "OK")
    equal((r.fcall("look", 1, "k"), r.fcall_ro("look", 1, "k")), ("v", "v"))
    [library] = r.function_list(withcode=True)
    if not isinstance(library, dict):
        library = dict(zip(library[::2], library[1::2]))
    equal((library["library_name"], library["engine"], library["library_code"]), ("smoke", "LUA", code))
    raw = redis.Redis(port=PORT, protocol=PROTOCOL, **TLS)
    payload = raw.function_dump()
    equal(r.function_flush(), True)
    equal(r.function_list(), [])
    equal(raw.function_restore(payload), True)
    equal(r.fcall("look", 1, "k"), "v")
    assert "LUA" in str(r.function_stats())
    equal(r.function_delete("smoke"), True)


def publishing(r):
    with r.pubsub() as p:
        p.subscribe("news")
        p.psubscribe("w*")
        got = []
        until = time.monotonic() + 10
        published = False
        while len(got) < 4 and time.monotonic() < until:
            message = p.get_message(timeout=0.2)
            if message:
                got.append((message["type"], message["channel"], message["data"]))
            if len(got) == 2 and not published:
                equal((r.publish("news", "hello"), r.publish("weather", "fair")), (1, 1))
                published = True
        equal(got, [("subscribe", "news", 1), ("psubscribe", "w*", 2), ("message", "news", "hello"), ("pmessage", "weather", "fair")])
        equal((r.pubsub_channels(), r.pubsub_numsub("news"), r.pubsub_numpat()), (["news"], [("news", 1)], 1))


def server(r):
    assert r.info("server")["redis_version"].startswith("7.")
    equal(r.config_set("slowlog-max-len", 64), True)
    equal(r.config_get("slowlog-max-len"), {"slowlog-max-len": "64"})
    assert len(r.time()) == 2
    assert r.command_count() > 150
    assert "get" in r.command()
    equal(r.role()[0], "master")
    assert isinstance(r.slowlog_get(), list)
    assert r.memory_usage("absent") is None
    r.set("k", 1)
    equal((r.flushdb(), r.dbsize()), (True, 0))


GROUPS = [connection, strings, keys, lists, sets, hashes, sorted_sets, bitmaps, hyperloglogs, places, streams, sorting, transactions]
GROUPS += [scripts, functions, publishing, server]
for group in GROUPS:
    client = connect()
    client.flushall()
    group(client)
    client.close()
print(f"{len(GROUPS)} groups")
