"""Rotation of AWS access keys with IAM: a new key is made, tried and used before the old one goes."""
