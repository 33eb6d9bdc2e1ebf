"""The AWS wire, inbound: is this request signed by whom it says, and which operation with which params is it?

Everything here is a pure function of the request's bytes; the only files read are botocore's own models, lazily. The
order in which a door uses it:

1. `request.receive`: bounds and shape of the head.
2. `sigv4.read_claim`, then `sigv4.check` with the secret of the access key the claim names.
3. `parse.takes_stream`: may the body stay unread; else the door reads it, bounded, and checks it (`payload`).
4. `parse.parse`: (service, operation, params), every candidate when the wire does not tell which.
5. `errors_out.render`: any no, shaped as the client's SDK expects it.

"No" is a `Refusal`, a value; an exception that leaves these functions is a defect, except `RefusedError` of the body
decoders, which are fed piecewise. Nothing that is not understood is dropped quietly, but for headers no model knows:
an unknown member, query parameter, element or attribute refuses the request.
"""
