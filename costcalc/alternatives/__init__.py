"""Known changes that make a network cheaper, each computed on its graph.

Cost is computed, accuracy is not: whether the network still learns its task is for training to say.
"""

from __future__ import annotations

from costcalc.alternatives.choices import Choices
from costcalc.alternatives.known import CHANGES, Known
from costcalc.alternatives.searching import Change, Remedies, changes, counted, remedies

__all__ = ["CHANGES", "Change", "Choices", "Known", "Remedies", "changes", "counted", "remedies"]
