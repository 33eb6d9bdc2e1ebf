"""How alerts leave: one file for each kind of channel, and what they have in common."""
