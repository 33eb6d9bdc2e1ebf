"""A git host over SSH: the stock ``ssh`` program, a key that stays in the vault, and nothing of the machine's own.

1. `host_keys`: the keys the operator says the host has; no other is taken.
2. `agent`: what ``ssh`` asks to sign with, for one key and one attempt.
3. `options`: how ``ssh`` is told to look at nothing else.
4. `session`: one run of one command on the host.
5. `remote`: `connectors.git.remote.Remote` over such sessions.
"""
