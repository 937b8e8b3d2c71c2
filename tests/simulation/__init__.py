"""The whole system in one thread, on a virtual clock, driven by one seed.

A run is a pure function of its seed: clients, gateways, workers, the logs between them and every fault come from it, so
a run that fails once fails always, and can be told as a story:

    make simulate SEED=42        one run, with its trace
    make simulate                1,000 runs on every core; names the seeds that fail

`loop.py` makes time and processes, `wire.py` makes faults, `broker.py`, `event_log.py`, `experience_log.py`,
`stores.py` and `budgets.py` are what is durable, `client.py` and `page.py` are shoppers, `marketing.py` runs campaigns,
and `run.py` puts all of it together. What must hold is in `checks.py`, `check_pages.py` and `check_budgets.py`:
`expected.py` and `promised.py` compute shoppers a second time, `oracle.py` and `markets.py` decide again, `recount.py`
and `purses.py` count the money. `mutations.py` and `mutations_of_budgets.py` break the system on purpose, to prove that
the checks can fail. Seeds that ever failed are kept in `kept_seeds.txt`.
"""
