"""Keeps Ostiary's processes running on one machine: starts them in order, restarts what dies, leaves nothing behind."""
