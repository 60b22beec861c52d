"""The known changes: what each is, where it applies, and who proposed it.

Every one gives a graph, on which costs are computed like on any other; there is no formula for a saving.
What a network learns with it is another question, which nothing here answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costcalc.alternatives import convolutions, networks
from costcalc.alternatives.choices import Choices
from costcalc.graph import Graph


@dataclass(frozen=True)
class Known:
    """A change of the literature: what it is, where it comes from, and where it applies.

    ``choices`` takes a graph and the name of a layer (or ``input``) and raises :class:`Misfit` where the
    change does not apply. ``keeps_field`` is whether the receptive field stays as it is.
    """

    key: str
    summary: str
    source: str
    keeps_field: bool
    choices: Callable[[Graph, str], Choices]


CHANGES: dict[str, Known] = {
    known.key: known
    for known in (
        Known(
            "filters",
            "fewer filters, or units of a fully connected layer",
            "Howard et al. 2017 (MobileNets), section 3.3, of one layer",
            True,
            networks.fewer_filters,
        ),
        Known(
            "stack",
            "k×k into a chain of 3×3",
            "Szegedy et al. 2016 (Rethinking Inception), section 3.1",
            True,
            convolutions.stacked,
        ),
        Known(
            "asymmetric",
            "k×k into 1×k and k×1",
            "Szegedy et al. 2016 (Rethinking Inception), section 3.2",
            True,
            convolutions.asymmetric,
        ),
        Known(
            "reduction",
            "a 1×1 reduction before a spatial convolution",
            "Szegedy et al. 2015 (Going Deeper), section 4",
            True,
            convolutions.reduced,
        ),
        Known(
            "separable",
            "depthwise-separable convolution",
            "Howard et al. 2017 (MobileNets), section 3.1",
            True,
            convolutions.separable,
        ),
        Known(
            "groups",
            "grouped convolution",
            "Krizhevsky et al. 2012 (AlexNet), section 3.2; Xie et al. 2017 (ResNeXt), section 3",
            True,
            convolutions.grouped,
        ),
        Known(
            "stride",
            "a stride instead of the pooling behind",
            "Springenberg et al. 2015 (All Convolutional Net), section 2",
            False,
            convolutions.strided,
        ),
        Known(
            "pooling",
            "global average pooling before the first fully connected layer",
            "Lin et al. 2014 (Network In Network), section 3.2",
            False,
            networks.pooled,
        ),
        Known(
            "rank",
            "a fully connected layer as a product of two",
            "Girshick 2015 (Fast R-CNN), section 3.1",
            True,
            networks.low_rank,
        ),
        Known(
            "resolution",
            "a smaller input",
            "Howard et al. 2017 (MobileNets), section 3.4",
            False,
            networks.smaller_input,
        ),
        Known(
            "width",
            "a thinner network: every layer with a share of its filters",
            "Howard et al. 2017 (MobileNets), section 3.3",
            True,
            networks.thinner,
        ),
    )
}
