"""A queue of jobs on a stream, as programs in Python keep one with redis-py: producers add jobs, workers of one group do them. A worker is killed
in the middle of its work, and another one claims what it had. usage: jobs.py PORT PROTOCOL"""

import os
import signal
import subprocess
import sys

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
ROLE = sys.argv[3:]

STREAM, GROUP = "jobs", "workers"
# What the jobs did, in order: a name for each time that one was done.
DONE = "done"
JOBS_EACH, PRODUCERS, WORKERS = 150, 2, 3
# A job that was handed out this long ago, in milliseconds, and is not acknowledged has lost its worker, or nearly so: it may be claimed.
CLAIM_AFTER = 100


def connect():
    return redis.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True)


def entries(reply):
    """What a read of one stream found: pairs of id and fields."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [tuple(entry) for batch in reply[STREAM] for entry in batch]
    return reply[0][1]


def produce(r, name):
    for n in range(JOBS_EACH):
        r.xadd(STREAM, {"job": f"{name}:{n}"})


def do(r, id, fields):
    """Does a job and acknowledges it in one step. Who finds that it was done, because somebody claimed it meanwhile, leaves it."""
    mark = f"done:{id}"
    with r.pipeline() as step:
        while True:
            try:
                step.watch(mark)
                if step.exists(mark):
                    step.unwatch()
                    return
                step.multi()
                step.set(mark, 1)
                step.rpush(DONE, fields["job"])
                step.xack(STREAM, GROUP, id)
                *_, acked = step.execute()
                assert acked == 1, f"{id} was acknowledged before it was done"
                return
            except redis.WatchError:
                continue


def work(r, name):
    while True:
        _, claimed, deleted = r.xautoclaim(STREAM, GROUP, name, CLAIM_AFTER, count=10)
        assert not deleted
        if claimed:
            r.rpush("claimed", *[id for id, _ in claimed])
        for id, fields in claimed + entries(r.xreadgroup(GROUP, name, {STREAM: ">"}, count=10, block=20)):
            do(r, id, fields)


def die(r, name):
    """Takes some jobs, does the first of them, and says which others it has; it never comes to do them."""
    got = []
    while len(got) < 3:
        got += entries(r.xreadgroup(GROUP, name, {STREAM: ">"}, count=5, block=1000))
    do(r, *got[0])
    print(*[id for id, _ in got[1:]], flush=True)
    signal.pause()


def main():
    r = connect()
    r.flushall()
    r.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    start = lambda *role: subprocess.Popen([sys.executable, *sys.argv[:3], *role], stdout=subprocess.PIPE, text=True)
    others = []
    try:
        victim = start("die", "victim")
        others.append(victim)
        producers = [start("produce", f"p{n}") for n in range(PRODUCERS)]
        others += producers
        held = victim.stdout.readline().split()
        assert len(held) >= 2, held
        victim.send_signal(signal.SIGKILL)
        workers = [start("work", f"w{n}") for n in range(WORKERS)]
        others += workers
        for producer in producers:
            assert producer.wait() == 0
        # Producers are through and every entry is acknowledged: nothing is pending, and nothing was not handed out.
        total = JOBS_EACH * PRODUCERS
        while r.llen(DONE) < total:
            assert all(worker.poll() is None for worker in workers), "a worker has ended"
            r.blpop("never", 0.02)
    finally:
        for other in others:
            other.kill()
            other.wait()

    done = r.lrange(DONE, 0, -1)
    wanted = sorted(f"p{p}:{n}" for p in range(PRODUCERS) for n in range(JOBS_EACH))
    assert sorted(done) == wanted, "a job was lost, or done twice"
    assert set(held) <= set(r.lrange("claimed", 0, -1)), "who was killed can have done nothing more"
    [group] = r.xinfo_groups(STREAM)
    assert (group["pending"], group["entries-read"], group["lag"]) == (0, total, 0), group
    assert r.xpending(STREAM, GROUP)["pending"] == 0
    # Nothing that was acknowledged is handed out again, whoever asks for whatever he had.
    for consumer in r.xinfo_consumers(STREAM, GROUP):
        assert consumer["pending"] == 0, consumer
        assert entries(r.xreadgroup(GROUP, consumer["name"], {STREAM: "0"})) == []
    assert r.xautoclaim(STREAM, GROUP, "late", 0)[1] == []
    assert entries(r.xreadgroup(GROUP, "late", {STREAM: ">"})) == []
    print(f"{total} jobs, {len(held)} of them claimed")


if ROLE:
    {"produce": produce, "work": work, "die": die}[ROLE[0]](connect(), ROLE[1])
else:
    main()
