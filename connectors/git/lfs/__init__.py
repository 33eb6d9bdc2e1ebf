"""Git LFS: large files as actions of their own, by the batch API of their host and its ``basic`` transfers.

An agent never gets the addresses and headers a host hands out for its objects, as they carry credentials: it names an
object, and the broker asks, follows and streams. An object is named by the SHA-256 of its bytes, so nothing but these
bytes can come or go under its name, and doing the same once more does nothing more.

1. `operations`: the two actions and their params.
2. `plans`: from params to plans; pure.
3. `batch`: asks the host where an object is, or is to go.
4. `transfer`: carries a plan out.
"""
