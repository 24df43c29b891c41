"""The correction engine: outbox, states, retry decisions, dispatch, verification.

``propose`` fills the outbox, ``approval`` and ``undo`` hold people's decisions, ``dispatch``
delivers, ``verify`` believes only what a later extraction showed. ``store`` holds it all.
"""
