"""Those whose figure is the multiply-adds themselves."""

from __future__ import annotations

from costcalc.conventions.terms import Convention, sums

COSTCALC = Convention(
    key="costcalc",
    title="costcalc",
    calls_it="MACs",
    distribution="costcalc",
    terms=sums(),
    note="Products of convolutions, linear layers, matrices and attention; the rest is reported apart.",
)
TORCHVISION = Convention(
    key="torchvision",
    title="torchvision, the published _ops of its weights",
    calls_it="GFLOPS",
    distribution="torchvision",
    terms=sums(),
    note="Published in units of 10⁹ to three decimals; what it calls a FLOP is a multiply-add.",
)
