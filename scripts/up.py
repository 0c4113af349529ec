"""``make up``: Airflow's UI on the embedded AWS, until Ctrl-C. State stays in .local/up."""

from __future__ import annotations

import fcntl
import signal
import socket
import sys
import threading

from scripts.stack import ROOT, Stack, StackError

AIRFLOW_PORT = 8080
AWS_PORT = 4566


def main() -> int:
    """Run until interrupted. Status 1 with a sentence where it cannot start."""
    state = ROOT / ".local" / "up"
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"make up runs already on {state}: stop that one first", file=sys.stderr)
            return 1
        return _run(Stack(state, airflow_port=AIRFLOW_PORT, aws_port=AWS_PORT, pause_dags=False))


def _run(stack: Stack) -> int:
    for port in (stack.airflow_port, stack.aws_port):
        if _taken(port):
            print(f"expected port {port} of 127.0.0.1 to be free, found somebody listening there", file=sys.stderr)
            return 1
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    print("starting Airflow and the embedded AWS (about 15 seconds) ...", flush=True)
    try:
        with stack:
            print(f"Airflow       {stack.airflow_url}")
            for user, may in (("admin", "may do everything"), ("viewer", "may look")):
                print(f"  login       {user} / {stack.passwords[user]}   ({may})")
            print(f"embedded AWS  {stack.aws_url}   (export AWS_ENDPOINT_URL={stack.aws_url})")
            print("Ctrl-C stops everything; the state stays in .local/up", flush=True)
            while not done.wait(1):
                stack.check()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print("stopped", flush=True)
    return 0


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
