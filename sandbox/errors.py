"""Errors of the sandbox that are meant for people."""


class SandboxError(Exception):
    """The sandbox can't run; the message says why and what to do."""
