"""Programs, processes and network namespaces, for the lab, the benchmarks and the tests.

It imports none of these, runs on every Python that the agents run on, and needs nothing else.
"""
