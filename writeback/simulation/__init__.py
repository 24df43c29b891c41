"""The engine under simulation: real code on virtual time, against systems that misbehave by seed.

``story`` runs one seed, ``many`` runs thousands. Nothing here copies the engine: store, propose,
dispatch, verify, approval and undo are the product's own. What is simulated is what surrounds them:
clock, network, systems with complete ledgers, people, and the warehouse that judges.
"""
