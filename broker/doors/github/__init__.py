"""The GitHub door: unmodified PyGithub, octokit and ``gh api``, with a token that opens nothing at GitHub.

A client is pointed at this API as at a GitHub Enterprise server and sends the token of its session. The door reads
which operation of GitHub's API a request asks for, hands it to the broker as an intent, and answers as GitHub would.
The bytes that came in are never sent on; what goes upstream is made again from the plan that policy looked at.

    places        paths to what they ask for: which connection, REST or GraphQL
    credentials   the token, in each of the forms clients send it
    reading       a REST request to the draft of an intent
    queries       the strings of a query to params, by the operation's own schema
    graphql       a GraphQL request to the draft of an intent, and an outcome back
    door          the path of one request, numbered
    answering     an outcome as GitHub's answer
    links         GitHub's addresses to ours, so that clients follow them to this door
    answer        one answer before it is sent, and which headers may go out
    refusals      every no, in GitHub's form, with the status clients branch on
"""
