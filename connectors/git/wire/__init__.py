"""The pack protocol on our side of the door: what a git client sends is checked here, what it is told is made here.

Pure but for the async iterators that bodies come in. gitprotocol-common(5), -pack(5), -v2(5), -capabilities(5).

1. `packets`: pkt-lines, and `WireError`, the one "no" of this room.
2. `advertisement_out`, `push_request`: the refs a client may push to, and the push it sends.
3. `fetch_request`: whether the request of a fetch may be forwarded as it is.
4. `upstream_push`, `report`: the push we send to the host, and the host's report of it, which we say again.
5. `sideband`: progress and errors for the person in front of the client.
"""
