"""Worker processes of a test: each with all that it forks is a session, which is killed as one, and which ends with who started it."""

import os
import signal
import subprocess
import sys
import threading
import time


# The variable that tells a worker who has started it.
PARENT = "SOLOD_TEST_PARENT"


class Workers:
    """Those that `start` has started; on leaving, all are killed."""

    def __init__(self):
        self.processes = []

    def start(self, *command):
        environment = {**os.environ, PARENT: str(os.getpid())}
        self.processes.append(subprocess.Popen([sys.executable, *command], start_new_session=True, env=environment))
        return self.processes[-1]

    def kill(self, process):
        self.processes.remove(process)
        kill_session(process.pid)
        process.wait()

    def until(self, done):
        """Waits for it; whoever has not been killed must go on meanwhile."""
        while not done():
            assert all(process.poll() is None for process in self.processes), "a worker has ended"
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in list(self.processes):
            self.kill(process)


def kill_session(leader):
    """Whoever is in it, in whatever group: what a worker forks may have one of its own. The leader comes first, and so forks no more."""
    for pid in [leader, *(int(name) for name in os.listdir("/proc") if name.isdigit())]:
        try:
            if os.getsid(pid) == leader and pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_with_parent():
    """For a worker: whoever started it may be killed and clean nothing up."""
    parent = int(os.environ[PARENT])

    def watch():
        while os.getppid() == parent:
            time.sleep(0.2)
        kill_session(os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
