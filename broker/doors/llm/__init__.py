"""The LLM door: unmodified clients of Anthropic, OpenAI and Bedrock, with a token that opens nothing at any of them.

A client is pointed at this API as at its provider and sends the token of its session where the provider's key would
stand. The door reads what the body says, hands it to the broker as an intent, and answers as the provider would, while
the answer comes in. What it does not know it refuses: what is not metered is not passed on.

    places        paths to what they ask for, and what belongs to those APIs and is not served
    credentials   the token, in each of the forms clients send it
    bodies        a request's body, whole and within bounds
    reading       a request to the draft of an intent
    door          the path of one request, numbered
    answering     an outcome as the provider's answer
    answer        one answer before it is sent, and which headers may go out
    refusals      every no, in the provider's form, with what makes clients stop or wait
    words         how each cause is said in each of those forms
    remaining     what is left of budgets, in headers that clients show
    models        the list of models a session may use
"""
