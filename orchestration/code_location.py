"""The code location that workspace.yaml names: the graph of the installation in the environment."""

from orchestration.definitions import build_defs
from orchestration.installation import Installation

defs = build_defs(Installation.load())
