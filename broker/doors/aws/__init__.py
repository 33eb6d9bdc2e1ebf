"""The AWS wire door: unmodified clients of AWS, with a key that opens nothing upstream.

A client signs with the access key of its session (`broker.access_keys`). The door checks the signature, reads what the
request asks for, hands it to the broker as an intent, and answers in the client's own protocol. The bytes that came in
are never sent on: what goes upstream is made again from the params that policy looked at.

    recognition   whose request this is: signed for AWS, or another door's
    door          the path of one request, numbered
    turn          one request, and how far it has come
    intake        who asks, and the body of what is asked
    gate          access key and signature to a living session
    bodies        bodies that come in: whole and bounded, or as a stream
    reading       a parsed request to the draft of an intent
    s3            what S3 clients write otherwise than intents do
    hosts         names the door answers to; what precedes one is a bucket
    answering     an outcome in the words of the client's SDK
    exchange      bodies that go out while they come in
    refusals      every no, with the code and status SDKs branch on
"""
