"""Questions to the ledger and to the configuration that nobody asks while an intent waits; nothing here acts."""
