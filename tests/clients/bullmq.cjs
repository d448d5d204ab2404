// A queue as programs keep one with BullMQ, a function for each thing that it promises. usage: node bullmq.cjs PORT PROTOCOL
"use strict";
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = require("bullmq");

const [port, protocol, role] = process.argv.slice(2);
const connection = { port: Number(port), protocol: Number(protocol), maxRetriesPerRequest: null };
// A worker that has not renewed its lock on a job for so long has lost it, and how often that is looked at; milliseconds.
const leases = { lockDuration: 400, stalledInterval: 200 };

const sorted = (list) => [...list].sort();
const range = (count) => Array.from({ length: count }, (_, n) => n);

async function until(done) {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5));
}

// Everything that a test has opened, for it to be closed when the test is through.
let opened = [];
function open(thing) {
  opened.push(thing);
  return thing;
}

function queueOf(name) {
  const queue = open(new Queue(name, { connection }));
  // Each job that is waited for listens to its queue.
  queue.setMaxListeners(0);
  return queue;
}

const workerOf = (name, work, options = {}) => open(new Worker(name, work, { connection, drainDelay: 1, ...options }));

async function eventsOf(name) {
  const events = open(new QueueEvents(name, { connection }));
  await events.waitUntilReady();
  return events;
}

const tests = {
  async jobsAreDoneAndTellTheirResults() {
    const queue = queueOf("results");
    const events = await eventsOf("results");
    const progress = [];
    events.on("progress", ({ data }) => progress.push(data));
    workerOf("results", async (job) => {
      await job.updateProgress(job.data.n);
      await job.log(`squares ${job.data.n}`);
      return job.data.n ** 2;
    }, { concurrency: 8 });
    const single = await Promise.all(range(50).map((n) => queue.add("square", { n })));
    const bulk = await queue.addBulk(range(50).map((n) => ({ name: "square", data: { n: 50 + n } })));
    const results = await Promise.all([...single, ...bulk].map((job) => job.waitUntilFinished(events)));
    assert.deepStrictEqual(results, range(100).map((n) => n ** 2));
    const counts = await queue.getJobCounts("waiting", "active", "completed", "failed", "delayed");
    assert.deepStrictEqual(counts, { waiting: 0, active: 0, completed: 100, failed: 0, delayed: 0 });
    assert.deepStrictEqual((await queue.getJobLogs(single[7].id)).logs, ["squares 7"]);
    assert.strictEqual((await queue.getJob(bulk[0].id)).returnvalue, 2500);
    await until(() => progress.length === 100);
    assert.strictEqual((await queue.getJobs(["completed"], 0, 9)).length, 10);
    assert.strictEqual((await queue.clean(0, 60, "completed")).length, 60);
    assert.strictEqual(await queue.getCompletedCount(), 40);
  },

  async jobsAreDoneInTheirOrder() {
    const queue = queueOf("order");
    const done = [];
    await queue.add("third", {});
    await queue.add("first", {}, { lifo: true });
    await queue.add("last", {}, { priority: 9 });
    await queue.add("fourth", {}, { priority: 2 });
    const changed = await queue.add("fifth", {}, { priority: 1000 });
    await changed.changePriority({ priority: 3 });
    await queue.add("second", {}, { lifo: true, jobId: "second" }).then((job) => job.remove());
    await queue.add("once", {}, { jobId: "mine", priority: 5 });
    await queue.add("once", {}, { jobId: "mine", priority: 5 });
    await queue.add("alone", {}, { deduplication: { id: "alone" }, priority: 6 });
    await queue.add("not alone", {}, { deduplication: { id: "alone" }, priority: 6 });
    assert.deepStrictEqual(await queue.getCountsPerPriority([0, 2, 3]), { 0: 2, 2: 1, 3: 1 });
    await queue.pause();
    const worker = workerOf("order", async (job) => void done.push(job.name));
    await worker.waitUntilReady();
    assert.ok(await queue.isPaused());
    assert.deepStrictEqual(done, []);
    await queue.resume();
    await until(() => done.length === 7);
    assert.deepStrictEqual(done, ["first", "third", "fourth", "fifth", "once", "alone", "last"]);
  },

  async jobsWaitForTheirTime() {
    const queue = queueOf("delayed");
    const events = await eventsOf("delayed");
    const done = [];
    const [slow, never, now] = await Promise.all([
      queue.add("slow", {}, { delay: 300 }),
      queue.add("never", {}, { delay: 3600000 }),
      queue.add("now", {}),
    ]);
    assert.strictEqual(await slow.getState(), "delayed");
    workerOf("delayed", async (job) => void done.push(job.name));
    await Promise.all([slow, now].map((job) => job.waitUntilFinished(events)));
    assert.deepStrictEqual(done, ["now", "slow"]);
    const { processedOn, timestamp } = await queue.getJob(slow.id);
    assert.ok(processedOn - timestamp >= 300, "it did not wait");
    assert.strictEqual(await queue.getDelayedCount(), 1);
    await never.promote();
    await never.waitUntilFinished(events);
    await queue.upsertJobScheduler("often", { every: 50 }, { name: "again" });
    await until(() => done.filter((name) => name === "again").length >= 3);
    assert.ok(await queue.removeJobScheduler("often"));
    assert.strictEqual(await queue.getJobSchedulersCount(), 0);
  },

  async jobsThatFailAreTriedAgain() {
    const queue = queueOf("failing");
    const events = await eventsOf("failing");
    workerOf("failing", async (job) => {
      if (job.name === "hopeless") throw new UnrecoverableError("no");
      if (job.attemptsMade < job.data.failures) throw new Error(`attempt ${job.attemptsMade}`);
      return job.attemptsMade;
    }, { concurrency: 3 });
    const backoff = { type: "exponential", delay: 20 };
    const recovers = await queue.add("recovers", { failures: 2 }, { attempts: 3, backoff });
    const fails = await queue.add("fails", { failures: 3 }, { attempts: 3, backoff: 10 });
    const hopeless = await queue.add("hopeless", {}, { attempts: 5 });
    assert.strictEqual(await recovers.waitUntilFinished(events), 2);
    await assert.rejects(fails.waitUntilFinished(events), /attempt 2/);
    await assert.rejects(hopeless.waitUntilFinished(events), /no/);
    assert.deepStrictEqual(sorted((await queue.getFailed()).map((job) => job.name)), ["fails", "hopeless"]);
    const failed = await queue.getJob(fails.id);
    assert.strictEqual(failed.attemptsMade, 3);
    assert.strictEqual(failed.stacktrace.length, 3);
    await failed.retry();
    assert.strictEqual(await failed.waitUntilFinished(events), 3);
    assert.strictEqual(await queue.getFailedCount(), 1);
  },

  async noMoreJobsThanTheLimitAllows() {
    const queue = queueOf("limited");
    const events = await eventsOf("limited");
    const limiter = { max: 5, duration: 200 };
    const workers = range(2).map(() => workerOf("limited", async () => {}, { limiter, autorun: false, concurrency: 3 }));
    const jobs = await queue.addBulk(range(20).map((n) => ({ name: "job", data: { n } })));
    const start = performance.now();
    workers.forEach((worker) => worker.run());
    await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    // The fourth five may start when three times the duration is over; a busy machine makes it later, never earlier.
    assert.ok(performance.now() - start >= 3 * limiter.duration, "twenty jobs went through a limit of five");
    await queue.rateLimit(3600000);
    assert.ok((await queue.getRateLimitTtl()) > 3500000);
    await queue.removeRateLimitKey();
  },

  async parentsWaitForTheirChildren() {
    const queue = queueOf("flow");
    const events = await eventsOf("flow");
    const flow = open(new FlowProducer({ connection }));
    const children = range(5).map((n) => ({ name: "child", queueName: "flow", data: { n } }));
    const { job } = await flow.add({ name: "parent", queueName: "flow", children });
    assert.strictEqual(await job.getState(), "waiting-children");
    workerOf("flow", async (job) => {
      if (job.name === "child") return job.data.n;
      return Object.values(await job.getChildrenValues()).reduce((sum, n) => sum + n);
    });
    assert.strictEqual(await job.waitUntilFinished(events), 10);
    const { processed } = await job.getDependenciesCount({ processed: true });
    assert.strictEqual(processed, 5);
    await queue.obliterate();
    assert.strictEqual(await queue.count(), 0);
  },

  async aLockIsKeptByWhoHasItsToken() {
    const queue = queueOf("locked");
    await queue.add("job", {});
    const worker = workerOf("locked", null, { ...leases, autorun: false });
    const job = await worker.getNextJob("token");
    assert.strictEqual(await job.extendLock("token", 60000), 1);
    await assert.rejects(job.moveToCompleted("stolen", "another", false), /[Ll]ock/);
    await job.moveToDelayed(Date.now() + 3600000, "token");
    assert.strictEqual(await job.getState(), "delayed");
    await job.changeDelay(0);
    const again = await worker.getNextJob("token");
    assert.strictEqual(again.id, job.id);
    await again.moveToCompleted("mine", "token", false);
    assert.strictEqual((await queue.getJob(job.id)).returnvalue, "mine");
  },

  async aJobOutlivesItsWorker() {
    const queue = queueOf("killed");
    const events = await eventsOf("killed");
    const stalled = [];
    events.on("stalled", ({ jobId }) => stalled.push(jobId));
    const job = await queue.add("job", {});
    const victim = spawn(process.execPath, [__filename, port, protocol, "victim"], { stdio: ["ignore", "pipe", "inherit"] });
    const [taken] = await once(victim.stdout, "data");
    assert.strictEqual(String(taken).trim(), job.id);
    assert.strictEqual(await job.getState(), "active");
    victim.kill("SIGKILL");
    await once(victim, "exit");
    workerOf("killed", async () => "done by another", leases);
    assert.strictEqual(await job.waitUntilFinished(events), "done by another");
    await until(() => stalled.includes(job.id));
    const { attemptsStarted, stalledCounter } = await queue.getJob(job.id);
    assert.deepStrictEqual({ attemptsStarted, stalledCounter }, { attemptsStarted: 2, stalledCounter: 1 });
  },
};

// Takes a job, says which one, and never comes to an end of it.
function victim() {
  const work = (job) => new Promise(() => console.log(job.id));
  new Worker("killed", work, { connection, ...leases });
  setInterval(() => {}, 1000);
}

async function main() {
  for (const [name, test] of Object.entries(tests)) {
    await test().catch((error) => {
      throw new Error(`${name}: ${error.stack}`);
    });
    await Promise.all(opened.map((thing) => thing.close()));
    opened = [];
  }
  console.log(`${Object.keys(tests).length} promises kept`);
}

if (role === "victim") victim();
else
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
