"""Mirrors of repositories, and what a push holds, found out beside them before anything of it is sent on."""
