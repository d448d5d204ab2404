"""Tasks that worker processes do, as programs have Celery do them. usage: celery_jobs.py PORT"""

import signal
import sys

import celery
import redis
from celery.exceptions import TaskRevokedError

from workers import Workers, end_with_parent

# Workers run this file, too: the tasks in it are named after the application.
PORT, *ROLE = sys.argv[1:]
JOBS, WORKERS = 100, 2
# Seconds after which a task that was handed out and not acknowledged goes to somebody else.
VISIBLE_AGAIN = 1

app = celery.Celery("celery_jobs", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBLE_AGAIN, "unacked_restore_interval": 1, "unacked_restore_throttle": 1},
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=True,
)


def connect():
    return redis.Redis(port=int(PORT), db=2)


@app.task
def square(n):
    return n * n


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def fail_until(self, attempts):
    if self.request.retries < attempts:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def fail():
    raise ValueError("it always fails")


@app.task(acks_late=True)
def never_end_at_first():
    """Whoever is the first to do this has to be killed."""
    if connect().incr("begun") == 1:
        signal.pause()
    return "done by another"


def work(name):
    end_with_parent()
    options = ["--hostname", f"{name}@test", "--concurrency", "2", "--without-mingle", "--loglevel", "CRITICAL"]
    app.worker_main(["--quiet", "worker", *options])


def check(workers):
    r = connect()
    start_worker = lambda name: workers.start(__file__, PORT, name)

    # A task that was begun by a worker that is killed, with the process that did it.
    victim = start_worker("victim")
    orphan = never_end_at_first.delay()
    workers.until(lambda: r.get("begun") == b"1")
    workers.kill(victim)

    waiting = [square.delay(n) for n in range(JOBS)]
    names = [f"worker-{n}" for n in range(WORKERS)]
    for name in names:
        start_worker(name)
    assert [result.get() for result in waiting] == [n * n for n in range(JOBS)]
    assert orphan.get() == "done by another"

    # Tasks that depend on each other.
    assert celery.group(square.s(n) for n in range(20))().get() == [n * n for n in range(20)]
    assert celery.chain(square.s(3), square.s(), square.s())().get() == 3**8
    assert celery.chord((square.s(n) for n in range(20)), total.s())().get() == sum(n * n for n in range(20))
    assert celery.chain(celery.group(square.s(n) for n in range(5)), total.s(), square.s())().get() == 30 * 30

    # What fails is tried again, or tells why it failed; so does what was taken back.
    assert fail_until.delay(2).get() == 2
    failed = fail.delay()
    assert isinstance(failed.get(propagate=False), ValueError)
    assert failed.state == "FAILURE" and "it always fails" in failed.traceback
    assert square.apply_async((7,), countdown=0.1, priority=3, expires=60).get() == 49
    late = square.apply_async((8,), countdown=3600)
    late.revoke()
    assert isinstance(late.get(propagate=False), TaskRevokedError)

    # Workers are asked, and answer.
    answers = app.control.ping(timeout=5, limit=WORKERS)
    assert {name for answer in answers for name in answer} == {f"{name}@test" for name in names}, answers
    waiting[0].forget()
    assert waiting[0].state == "PENDING"
    workers.until(lambda: redis.Redis(port=int(PORT), db=0).zcard("unacked_index") == 0)


def main():
    with Workers() as workers:
        check(workers)
    print(f"{JOBS} tasks")


if __name__ == "__main__":
    work(*ROLE) if ROLE else main()
