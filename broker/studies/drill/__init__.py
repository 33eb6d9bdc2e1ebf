"""The drill: the checks of the brief run against a real configuration, on the real pipeline, in a store of its own."""
