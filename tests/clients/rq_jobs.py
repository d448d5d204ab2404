"""Jobs that worker processes do, as programs keep them with RQ. usage: rq_jobs.py PORT PROTOCOL"""

import signal
import sys
import time
from datetime import timedelta

import redis
import rq
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from workers import Workers, end_with_parent

# The workers import this file for the jobs in it.
PORT, PROTOCOL, *ROLE = sys.argv[1:]
JOBS, WORKERS = 100, 2


def connect():
    return redis.Redis(port=int(PORT), protocol=int(PROTOCOL))


def square(n):
    return n * n


def fail_until(attempts):
    """Fails so often, and says then in which attempt it did not."""
    attempt = connect().incr("attempts")
    assert attempt > attempts, f"attempt {attempt}"
    return attempt


def fail():
    raise ValueError("it always fails")


def never_end_at_first():
    """Whoever is the first to do this has to be killed."""
    if connect().incr("begun") == 1:
        signal.pause()
    return "done by another"


def add_results(*ids):
    results = [job.return_value() for job in rq.get_current_job().fetch_dependencies()]
    assert len(results) == len(ids)
    return sum(results)


def work(name):
    end_with_parent()
    # The victim is not the one who looks after what is for later: its lock on that would last for a minute.
    scheduler = name != "victim"
    rq.Worker(["high", "default"], name=name, connection=connect()).work(with_scheduler=scheduler, logging_level="CRITICAL")


def finish(workers, *jobs):
    """What the jobs return, when they are through."""
    workers.until(lambda: all(job.get_status() in ("finished", "failed") for job in jobs))
    return [job.return_value() for job in jobs]


def check(workers):
    def start_worker(name):
        return workers.start(__file__, PORT, PROTOCOL, name)

    r = connect()
    queue, high = rq.Queue(connection=r), rq.Queue("high", connection=r)

    # A job that was begun by a worker that is killed, with the process that did the job for it.
    victim = start_worker("victim")
    orphan = queue.enqueue(never_end_at_first, retry=rq.Retry(1))
    workers.until(lambda: r.get("begun") == b"1")
    assert orphan.get_status(refresh=True) == "started"
    workers.kill(victim)
    started = StartedJobRegistry(queue=queue)
    assert started.get_job_ids(cleanup=False) == [orphan.id]
    # As anybody does who looks at the registry when the heartbeats have been missing for long enough.
    started.cleanup(timestamp=time.time() + 3600)
    assert queue.job_ids == [orphan.id]
    assert started.get_job_ids(cleanup=False) == []

    # What waits is in its order, and what has to be unique is there once.
    jobs = [queue.enqueue(square, n, job_id=f"square-{n}") for n in range(JOBS - 20)]
    jobs += queue.enqueue_many([rq.Queue.prepare_data(square, (n,), job_id=f"square-{n}") for n in range(JOBS - 20, JOBS)])
    assert queue.job_ids == [orphan.id] + [job.id for job in jobs]
    high.enqueue(square, 1, job_id="one", unique=True)
    try:
        high.enqueue(square, 2, job_id="one", unique=True)
    except rq.exceptions.DuplicateJobError:
        pass
    else:
        raise AssertionError("there are two of it")
    sum_of_all = queue.enqueue(add_results, *(job.id for job in jobs), depends_on=jobs)
    assert sum_of_all.get_status() == "deferred"

    names = [f"worker-{n}" for n in range(WORKERS)]
    for name in names:
        start_worker(name)
    assert finish(workers, orphan) == ["done by another"]
    assert finish(workers, *jobs) == [n * n for n in range(JOBS)]
    assert finish(workers, sum_of_all) == [sum(n * n for n in range(JOBS))]
    assert {job.latest_result().worker_name for job in jobs} <= set(names)

    # What fails is tried again; what always fails is kept, and done again when somebody asks for it.
    stubborn = queue.enqueue(fail_until, 2, retry=rq.Retry(3))
    hopeless = queue.enqueue(fail, retry=rq.Retry(2))
    assert finish(workers, stubborn, hopeless) == [3, None]
    assert [result.type.name for result in hopeless.results()][0] == "FAILED"
    assert "it always fails" in hopeless.latest_result().exc_string
    failed = FailedJobRegistry(queue=queue)
    assert failed.get_job_ids() == [hopeless.id]
    failed.requeue(hopeless.id)
    workers.until(lambda: len(hopeless.results()) >= 2 and failed.get_job_ids() == [hopeless.id])

    # What is for later waits; one of the workers looks after that, who has the lock.
    late = queue.enqueue_in(timedelta(hours=1), square, 5)
    soon = queue.enqueue_in(timedelta(milliseconds=10), square, 6)
    assert late.id in ScheduledJobRegistry(queue=queue).get_job_ids()
    assert finish(workers, soon) == [36]
    assert late.get_status() == "scheduled"


def main():
    with Workers() as workers:
        check(workers)
    print(f"{JOBS} jobs")


if __name__ == "__main__":
    # A job is known by its module and its name, and its module must not be __main__.
    import rq_jobs

    rq_jobs.work(*ROLE) if ROLE else rq_jobs.main()
