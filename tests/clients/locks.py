"""Locks as programs in Python take them: redis-py's own, Redlock of pottery, and Django's cache on django-redis. usage: locks.py PORT PROTOCOL"""

import sys
import threading

import django
import redis
from django.conf import settings
from pottery import NextID, Redlock
from pottery.exceptions import ReleaseUnlockedLock
from redis.exceptions import LockError, LockNotOwnedError

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
# Seconds that no test lives to see the end of.
LONG = 3600

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{PORT}/1?protocol={PROTOCOL}",
        }
    }
)
django.setup()


def connect():
    return redis.Redis(port=PORT, protocol=PROTOCOL)


def fails(kind, what, *args):
    try:
        what(*args)
    except kind:
        return
    raise AssertionError(f"{what} did not fail with {kind}")


def count(take_lock):
    """A counter that is read and written in two steps, by many at once."""
    r = connect()
    r.set("counter", 0)

    def count_to(times):
        mine = connect()
        for _ in range(times):
            with take_lock():
                mine.set("counter", int(mine.get("counter")) + 1)

    threads = [threading.Thread(target=count_to, args=(10,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("counter") == b"40", r.get("counter")


def of_redis_py():
    r = connect()
    lock, other = r.lock("lock", timeout=LONG), r.lock("lock", timeout=LONG)
    assert lock.acquire(blocking=False)
    assert not other.acquire(blocking=False)
    assert not other.acquire(blocking_timeout=0.05)
    assert lock.locked() and lock.owned() and not other.owned()
    assert lock.extend(LONG)
    assert LONG * 1000 < r.pttl("lock") <= 2 * LONG * 1000
    assert lock.extend(LONG / 2, replace_ttl=True)
    assert r.pttl("lock") <= LONG * 500
    assert lock.reacquire()
    assert r.pttl("lock") > LONG * 500
    fails(LockError, other.release)
    lock.release()
    assert not lock.locked()
    fails(LockError, lock.release)

    # Somebody else has it when its time is over.
    short = r.lock("lock", timeout=0.05)
    assert short.acquire(blocking=False)
    assert other.acquire()
    fails(LockNotOwnedError, short.extend, LONG)
    fails(LockNotOwnedError, short.reacquire)
    fails(LockNotOwnedError, short.release)
    # The scripts are sent anew to a server that has forgotten them.
    r.script_flush()
    assert other.reacquire()
    other.release()
    count(lambda: connect().lock("counting", timeout=LONG, sleep=0.002))


def of_pottery():
    masters = {connect()}
    lock = Redlock(key="pottery", masters=masters, auto_release_time=LONG)
    other = Redlock(key="pottery", masters=masters, auto_release_time=LONG)
    assert lock.acquire(blocking=False)
    assert not other.acquire(blocking=False)
    assert LONG - 60 < lock.locked() <= LONG and lock.locked() > 0
    lock.extend()
    lock.release()
    assert not lock.locked()
    fails(ReleaseUnlockedLock, lock.release)
    count(lambda: Redlock(key="counting", masters=masters, auto_release_time=LONG))
    ids = NextID(key="ids", masters=masters)
    assert [next(ids) for _ in range(5)] == [1, 2, 3, 4, 5]


def of_django():
    from django.core.cache import cache

    lock = cache.lock("lock", timeout=LONG)
    assert lock.acquire(blocking=False)
    assert not cache.lock("lock", timeout=LONG).acquire(blocking=False)
    lock.release()
    count(lambda: cache.lock("counting", timeout=LONG))
    # Numbers that are added to by a script, for their key must be there and keep its deadline.
    fails(ValueError, cache.incr, "absent")
    cache.set("number", 40, timeout=LONG)
    assert cache.incr("number", 3) == 43
    assert cache.decr("number") == 42
    assert LONG - 60 < cache.ttl("number") <= LONG
    assert cache.incr_version("number") == 2
    assert cache.get("number") is None and cache.get("number", version=2) == 42
    assert cache.add("once", "first") and not cache.add("once", "second")
    cache.set_many({f"many:{n}": [n] for n in range(20)})
    assert cache.get_many(["many:1", "many:2", "absent"]) == {"many:1": [1], "many:2": [2]}
    assert cache.delete_pattern("many:*") == 20
    assert cache.get_or_set("made", lambda: "now") == "now" and cache.touch("made", LONG)
    cache.clear()
    assert cache.get("once") is None


of_redis_py()
of_pottery()
of_django()
print("locks held")
