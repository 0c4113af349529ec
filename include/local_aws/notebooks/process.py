"""The program of a notebook instance: a Jupyter server whose processes may each use so much memory and no more.

``python -m include.local_aws.notebooks.process <bytes> <Jupyter's arguments>``. The bound is inherited by kernels, so a
notebook that wants more than that is refused it (MemoryError) instead of taking the machine along.
"""

import resource
import sys


def main() -> None:
    """Bound the memory, then become the Jupyter server. Its token is in ``JUPYTER_TOKEN``."""
    from jupyter_server.serverapp import main as serve

    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    serve(sys.argv[2:])


if __name__ == "__main__":
    main()
