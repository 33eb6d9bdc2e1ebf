"""``python -m broker.cli``: the same as ``ostiary``."""

from broker.cli import main

if __name__ == "__main__":
    main()
