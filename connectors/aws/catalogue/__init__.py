"""What every operation of AWS asks IAM for, compiled from public data by ``python3 deploy/bootstrap.py catalogue``."""
