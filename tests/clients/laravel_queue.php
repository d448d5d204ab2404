<?php
// A queue, locks and limits as programs in PHP keep them with Laravel's components. usage: php laravel_queue.php PORT
require_once 'Illuminate/Queue/autoload.php';
require_once 'Illuminate/Redis/autoload.php';
require_once 'Illuminate/Cache/autoload.php';

use Illuminate\Cache\RedisStore;
use Illuminate\Container\Container;
use Illuminate\Contracts\Redis\LimiterTimeoutException;
use Illuminate\Queue\RedisQueue;
use Illuminate\Redis\RedisManager;

const JOBS = 100;
const WORKERS = 2;
// Seconds after which a job that was taken and not done is anybody's again.
const RETRY_AFTER = 1;

$port = (int) $argv[1];
$manager = new RedisManager(null, 'phpredis', ['default' => ['host' => '127.0.0.1', 'port' => $port], 'options' => ['prefix' => '']]);
$redis = $manager->connection();
$queue = new RedisQueue($manager, 'default', null, RETRY_AFTER, 1);
$queue->setContainer(new Container());
$queue->setConnectionName('redis');

/** What the jobs do; a worker makes one of these for each. */
class Square
{
    public function fire($job, array $data): void
    {
        global $redis;
        // The first time that this one is done, it fails.
        if ($data['n'] === 13 && $job->attempts() === 1) {
            throw new RuntimeException('unlucky');
        }
        $redis->hset('squares', $data['n'], $data['n'] ** 2);
        $redis->incr('done');
        $job->delete();
    }
}

function check(bool $holds, string $what): void
{
    if (!$holds) {
        throw new RuntimeException("it does not hold: $what");
    }
}

function work(): void
{
    global $queue;
    $parent = (int) getenv('SOLOD_TEST_PARENT');
    while (posix_getppid() === $parent) {
        $job = $queue->pop();
        try {
            $job?->fire();
        } catch (RuntimeException) {
            $job->release();
        }
    }
}

function queue(array &$workers): void
{
    global $argv, $redis, $queue;
    // Taken by somebody who never comes back to it: it is handed out again when its time is over.
    $queue->push('Square', ['n' => 0]);
    $lost = $queue->pop();
    check($lost !== null && $lost->attempts() === 1, 'a job is handed out');
    check($queue->size() === 1 && $queue->pop() === null, 'and not twice');

    for ($n = 1; $n < JOBS - 20; $n++) {
        $queue->push('Square', ['n' => $n]);
    }
    for (; $n < JOBS; $n++) {
        $queue->later($n < JOBS - 1 ? 1 : 3600, 'Square', ['n' => $n]);
    }
    check($queue->size() === JOBS, 'all are counted');
    for ($i = 0; $i < WORKERS; $i++) {
        $workers[] = proc_open([PHP_BINARY, __FILE__, $argv[1], 'work'], [], $pipes, null, ['SOLOD_TEST_PARENT' => getmypid()]);
    }
    while ($redis->hlen('squares') < JOBS - 1 || $queue->size() > 1) {
        foreach ($workers as $worker) {
            check(proc_get_status($worker)['running'], 'a worker goes on');
        }
        usleep(10000);
    }
    for ($n = 0; $n < JOBS - 1; $n++) {
        check((int) $redis->hget('squares', $n) === $n ** 2, "job $n is done");
    }
    check((int) $redis->get('done') === JOBS - 1, 'none is done twice');
    check($queue->clear('default') === 1 && $queue->size() === 0, 'what is left is the late one');
}

function locks(): void
{
    global $manager, $redis;
    $store = new RedisStore($manager);
    $lock = $store->lock('lock', 3600);
    check($lock->acquire(), 'the first has it');
    check(!$store->lock('lock', 3600)->acquire(), 'the second does not');
    check($store->lock('lock', 3600)->release() === false, 'nor can it give it back');
    check($store->restoreLock('lock', $lock->owner())->release(), 'who knows the owner can');
    check($store->lock('lock', 3600)->get(fn () => 'mine') === 'mine', 'it is free again');
    check($store->add('once', 'first', 3600) && !$store->add('once', 'second', 3600), 'what is there is not added');
    check($store->get('once') === 'first', 'the first stays');
}

function limits(): void
{
    global $redis;
    $came = $refused = 0;
    for ($n = 0; $n < 8; $n++) {
        $throttle = $redis->throttle('throttle')->allow(5)->every(3600)->block(0);
        $throttle->then(function () use (&$came) { $came++; }, function () use (&$refused) { $refused++; });
    }
    check([$came, $refused] === [5, 3], 'five in an hour');
    // Two at a time; the third does not come through while these have not gone.
    $inner = function () use ($redis) {
        try {
            $redis->funnel('funnel')->limit(2)->releaseAfter(3600)->block(0)->then(fn () => check(false, 'two at a time'));
        } catch (LimiterTimeoutException) {
            return 'refused';
        }
    };
    $middle = fn () => $redis->funnel('funnel')->limit(2)->releaseAfter(3600)->block(0)->then($inner);
    check($redis->funnel('funnel')->limit(2)->releaseAfter(3600)->block(0)->then($middle) === 'refused', 'the third is refused');
    check($redis->funnel('funnel')->limit(1)->releaseAfter(3600)->block(0)->then(fn () => 'free') === 'free', 'all have gone');
}

if (isset($argv[2])) {
    work();
    exit(0);
}
$workers = [];
try {
    queue($workers);
    locks();
    limits();
} finally {
    foreach ($workers as $worker) {
        proc_terminate($worker, 9);
    }
}
echo JOBS . " jobs\n";
