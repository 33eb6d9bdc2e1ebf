"""Finding the rules that apply to a request, in bounded time."""
