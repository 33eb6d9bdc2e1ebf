"""Amazon Web Services: botocore's models validate, serialise and parse; the vault signs; our transport sends."""
