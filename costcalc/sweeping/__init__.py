"""Many settings of one architecture at once: recorded where they decide alike, counted as arrays.

The code that loads, shapes and counts is run once for each way that it can go, on numbers that record;
every other setting is arithmetic on arrays, equal to a count by itself to the last integer.
"""

from __future__ import annotations

from costcalc.sweeping.axes import Axis, axes
from costcalc.sweeping.filling import Refusal, Sweep, swept
from costcalc.sweeping.ways import COUNTED

__all__ = ["COUNTED", "Axis", "Refusal", "Sweep", "axes", "swept"]
