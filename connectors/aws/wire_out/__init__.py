"""The AWS wire, outbound: the JSON of a result becomes the answer the client's SDK expects.

The inverse of `connectors.aws.answer`: what that made of the upstream's answer is written again, in the protocol the
client spoke, which need not be the one the upstream was spoken to in.

- `answer.render`: status, headers and body of a result; `answer.head`: of one whose body streams.
- `secret_paths.secret_paths`: where in a result secrets stand.

Where a member goes is planned once for each operation and protocol (`outputs`), how a shape is written once for each
shape (`write_tree`, `write_xml`); a result is then one walk over its own members. Members that no model knows are left
out. What cannot be written is a `RenderError`, never an answer that says something else.
"""
