# Jobs that worker processes do, as programs in Ruby keep them with Sidekiq. usage: ruby sidekiq_jobs.rb PORT
require "sidekiq"
require "sidekiq/api"
require "sidekiq/scheduled"

# The workers read this file for the jobs in it, and know these by the environment.
ENV["REDIS_URL"] ||= "redis://127.0.0.1:#{ARGV.fetch(0)}/0"
ENV["SOLOD_TEST_PARENT"] ||= Process.pid.to_s

JOBS = 100
WORKERS = 2
# The processes that this one has started.
WORKING = []

def redis(&block)
  Sidekiq.redis(&block)
end

class Square
  include Sidekiq::Job

  def perform(number)
    redis { |r| r.hset("squares", number, number * number) }
  end
end

# Fails so often as it is told.
class Stubborn
  include Sidekiq::Job
  sidekiq_options retry: 5

  def perform(failures)
    attempt = redis { |r| r.incr("attempts") }
    raise "attempt #{attempt}" if attempt <= failures
    redis { |r| r.set("succeeded", attempt) }
  end
end

class Hopeless
  include Sidekiq::Job
  sidekiq_options retry: 0

  def perform
    raise "it always fails"
  end
end

# Whoever is the first to do this is stopped before it is done.
class Slow
  include Sidekiq::Job

  def perform
    sleep if redis { |r| r.incr("begun") } == 1
    redis { |r| r.set("slow", "done by another") }
  end
end

# Waits for it; the workers must go on meanwhile.
def wait_until
  until yield
    raise "a worker has ended" if WORKING.any? { |worker| Process.wait(worker, Process::WNOHANG) }
    sleep 0.01
  end
end

def start_worker(*options)
  command = ["sidekiq", "--require", File.expand_path(__FILE__), "--queue", "default", *options]
  WORKING << Process.spawn(*command, out: File::NULL)
  WORKING.last
end

def equal(found, wanted)
  raise "#{found.inspect} is not #{wanted.inspect}" unless found == wanted
end

def check
  # What a worker has not finished when it is told to end goes back. Its one thread is busy: idle ones could take the job again, and be killed.
  Slow.perform_async
  stopped = start_worker("--timeout", "1", "--concurrency", "1")
  wait_until { redis { |r| r.get("begun") } == "1" }
  Process.kill("TERM", stopped)
  Process.wait(WORKING.delete(stopped))
  equal(Sidekiq::Queue.new.map(&:klass), ["Slow"])

  (0...JOBS / 2).each { |number| Square.perform_async(number) }
  Square.perform_bulk((JOBS / 2...JOBS).map { |number| [number] })
  equal(Sidekiq::Queue.new.size, JOBS + 1)
  WORKERS.times { start_worker("--concurrency", "3") }
  wait_until { redis { |r| r.hlen("squares") } == JOBS }
  equal(redis { |r| r.hgetall("squares") }, (0...JOBS).to_h { |number| [number.to_s, (number * number).to_s] })
  wait_until { redis { |r| r.get("slow") } == "done by another" }

  # What is for later is moved to the queue by a script when its time has come, as the workers do now and then. What failed is tried again
  # much later, but when somebody asks for it.
  scheduled, retries = Sidekiq::ScheduledSet.new, Sidekiq::RetrySet.new
  late = Square.perform_in(3600, 1000)
  20.times { |number| Square.perform_in(0.05, 2000 + number) }
  Stubborn.perform_async(2)
  Hopeless.perform_async
  due = Sidekiq::Scheduled::Enq.new
  wait_until do
    due.enqueue_jobs
    retries.retry_all
    scheduled.size == 1 && redis { |r| r.get("succeeded") } == "3"
  end
  wait_until { redis { |r| r.hlen("squares") } == JOBS + 20 }
  equal(scheduled.map(&:jid), [late])
  scheduled.find_job(late).add_to_queue
  wait_until { redis { |r| r.hget("squares", 1000) } == "1000000" }

  # The script is sent anew to a server that has forgotten it.
  redis { |r| r.script(:flush) }
  Square.perform_in(0.01, 3000)
  wait_until do
    due.enqueue_jobs
    redis { |r| r.hexists("squares", 3000) }
  end

  # What it says of itself, when the workers have told all that they did: the first time of Slow counts as well, and each failure.
  wait_until { Sidekiq::ProcessSet.new.map { |process| process["concurrency"] } == [3] * WORKERS }
  WORKING.each { |worker| Process.kill("TERM", worker) }
  Process.wait(WORKING.pop) until WORKING.empty?
  stats = Sidekiq::Stats.new
  equal([stats.processed, stats.failed], [1 + JOBS + 1 + 20 + 3 + 1 + 1 + 1, 1 + 2 + 1])
  equal([stats.enqueued, stats.scheduled_size, stats.retry_size, stats.processes_size], [0, 0, 0, 0])
end

Redis.silence_deprecations = true
if File.basename($PROGRAM_NAME) == "sidekiq"
  # Whoever started this worker may be killed and clean nothing up.
  parent = Integer(ENV.fetch("SOLOD_TEST_PARENT"))
  Thread.new do
    sleep 0.2 while Process.ppid == parent
    Process.kill("KILL", Process.pid)
  end
else
  begin
    check
  ensure
    WORKING.each do |worker|
      Process.kill("KILL", worker)
      Process.wait(worker)
    rescue Errno::ESRCH
      # It has ended, and that is what failed.
    end
  end
  puts "#{JOBS} jobs"
end
