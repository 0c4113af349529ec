"""What goes wrong on the real AWS, on request: throttling, server errors, lost connections, latency, stale lists.

Everything is off until ``PUT /_control`` (or ``--control FILE``) asks for it::

    settings     what is asked for: read from JSON, checked, frozen
    injector     whether a request is hit: rates, schedules and budgets, drawn from one seed
    answers      what the caller of a service sees then
    connection   the HTTP connection, so that it can be cut without an answer
    past         lists that show the state of some seconds ago
    control      the page ``/_control``, and the counters of calls and of injected faults
"""
