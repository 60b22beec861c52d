"""JSON Schemas of what ``--json`` prints, one per kind of view."""

from __future__ import annotations

import json
from typing import Any

from costcalc.errors import CostcalcError, did_you_mean, shortened

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_CELL: dict[str, Any] = {
    "type": ["integer", "number", "string", "boolean", "null", "array"],
    "items": {"type": "integer"},
}
_COUNT: dict[str, Any] = {"type": ["integer", "null"]}
_VALUES: dict[str, Any] = {"type": "object", "additionalProperties": _CELL}  # by architecture
_SORTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("macs", "params", "weights", "activations", "reads", "writes", "other_ops"), _COUNT),
    **dict.fromkeys(("limit", "actual", "headroom", "trace_macs", "third_macs"), _COUNT),
    **dict.fromkeys(("elements", "times", "amount", "measured"), _COUNT),
    "values": _VALUES,
    "setting": _VALUES,
}

VERDICTS = ("name", "against", "batch", "new_s", "old_s", "ratio", "low", "high", "processes", "verdict")
# grids of each kind of view: those always there, then those that may be missing; columns always there
KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "list": {"presets": ("name", "family", "macs", "params", "summary")},
    "show": {"parts": ("name", "kind", "output")},
    "compare": {"totals": ("metric", "values"), "blocks": ("block", "metric", "values")},
    "budget": {},
    "diff": {"totals": ("metric", "old", "new", "difference", "percent")},
    "check": {
        "layers": (
            *("name", "output", "params", "macs", "reads", "writes", "other_ops"),
            *("trace_macs", "third_macs", "agree"),
        )
    },
    "check_model": {"modules": ("name", "macs", "agree")},
    "reconcile": {
        "counters": ("counter", "calls_it", "total", "against"),
        "terms": ("counter", "term", "amount"),
    },
    "claims": {"claims": ("publication", "id", "claim", "verdict", "published", "exact", "where")},
    "claim": {},
    "formula": {"formulas": ("metric", "formula", "value")},
    "sweep": {
        "settings": ("setting", "macs", "params", "activations", "peak_activations"),
        "ranges": ("metric", "least", "most"),
    },
    "kinds": {"kinds": ("name", "sort", "fields", "summary")},
    "doctor": {"parts": ("name", "state", "remedy")},
    "bench": {
        "configurations": ("name", "batch", "precision", "images_per_s", "macs", "flop_s"),
        "spread": (
            *("name", "batch", "samples", "rounds", "processes", "min_s", "p25_s", "median_s", "p75_s"),
            *("p90_s", "p95_s", "p99_s", "cov"),
        ),
    },
    "bench_compare": {"verdicts": VERDICTS},
    "predict": {
        "predictions": (
            *("name", "device", "batch", "seconds", "low", "high", "images_per_s", "bound"),
            *("roofline_s", "host_s", "launches"),
        ),
        "devices": (
            "device",
            "name",
            "matrix_flop_s",
            "vector_flop_s",
            "bytes_s",
            "kappa",
            "calibrated",
            "source",
        ),
    },
    "calibrate": {"anchors": ("name", "measured_s", "roofline_s", "ratio")},
    "guard": {},
    "validate": {
        "groups": (
            *("device", "dtype", "layout", "mode", "batch", "predictor", "rows", "mape", "median_ape"),
            *("bias", "rho", "within_10", "within_20", "in_range", "block_rho"),
        ),
        "orders": ("device", "mode", "batch", "ratio", "pairs", "right", "share", "macs_share"),
        "worst": ("name", "device", "mode", "batch", "measured_s", "predicted_s", "ratio", "in_range"),
    },
}
OTHERS = ("error", "run")  # what is no view
PREDICTED = ("device", "batch", "limit_s", "seconds", "low", "high", "verdict")
OPTIONAL: dict[str, dict[str, tuple[str, ...]]] = {
    "show": {
        "parameters": ("held", "elements"),
        "operators": ("operator", "times", "macs", "other_ops"),
    },
    "compare": {"predicted": ("device", "batch", "values")},
    "diff": {
        "blocks": ("name", "state", "macs", "params", "activations", "percent"),
        "edits": ("name", "edits", "macs", "params", "activations"),
    },
    "budget": {
        "limits": ("part", "metric", "limit", "actual", "headroom", "percent", "verdict"),
        "costliest": ("name", "kind", "share"),
        "latency": PREDICTED,
        "why": ("part", "metric", "block", "kind", "count", "share", "cut"),
        "changes": ("part", "metric", "sort", "change", "saving", "percent", "left", "verdict"),
    },
    "guard": {
        "findings": ("level", "model", "part", "metric", "verdict", "by", "percent", "at", "limit_at"),
        "limits": ("model", "part", "metric", "limit", "actual", "headroom", "percent", "verdict"),
        "growth": ("model", "part", "metric", "base", "actual", "grown", "allowed", "verdict"),
        "latency": ("model", *PREDICTED),
        "why": ("model", "part", "metric", "block", "kind", "count", "share", "cut"),
        "changes": ("model", "part", "metric", "sort", "change", "saving", "percent", "left", "verdict"),
    },
    "bench": {
        "blocks": ("configuration", "name", "seconds", "share", "macs", "flop_s", "bytes", "launches"),
        "memory": ("name", "batch", "weights", "peak", "above_weights", "analytic"),
        "verdicts": VERDICTS,
    },
    "predict": {"parts": ("name", "seconds", "share", "macs", "bytes", "launches", "intensity", "bound")},
    "sweep": {"refused": ("settings", "why", "example")},
    "formula": {"parameters": ("parameter", "value", "role")},
    "claim": {
        "readings": ("reading", "published", "precision", "exact", "deviation", "outcome"),
        "derivation": ("reading", "step"),
        "quantities": ("quantity", "value", "terms", "shown"),
    },
    "check": {
        "disagreements": ("layer", "quantity"),
        "claims": ("of", "metric", "published", "exact", "deviation", "verdict", "source"),
    },
}


def text(kind: str) -> str:
    """The schema of a kind as JSON; raises :class:`CostcalcError` for an unknown one."""
    return json.dumps(of(kind), indent=2) + "\n"


def of(kind: str) -> dict[str, Any]:
    """The schema of a kind of view, of ``error``, or of a ``run`` file."""
    if kind == "error":
        return _error()
    if kind == "run":
        from costcalc.latency import runs

        return {"$schema": _DRAFT, **runs.schema()}
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or "; there are " + ", ".join([*KINDS, *OTHERS])
        raise CostcalcError(f"no schema {shortened(kind)}{hint}")
    grids = {**KINDS[kind], **OPTIONAL.get(kind, {})}
    lines = {"type": "array", "items": {"type": "string"}}
    tables = {key: _grid(columns) for key, columns in grids.items()}
    result = {
        "type": "object",
        "properties": {**tables, "notes": lines, "summary": lines},
        "required": [*KINDS[kind], "notes", "summary"],
        "additionalProperties": _CELL,
    }
    return {
        "$schema": _DRAFT,
        "title": f"output of costcalc {kind} --json",
        "type": "object",
        "properties": {
            "schema": {"const": f"costcalc.{kind}/1"},
            "result": result,
            "provenance": {"type": "object"},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["schema", "result", "provenance", "warnings"],
        "additionalProperties": False,
    }


def _grid(columns: tuple[str, ...]) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {key: _SORTS.get(key, _CELL) for key in columns},
        "required": list(columns),
        "additionalProperties": _CELL,
    }
    return {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": row},
            "total": row,
        },
        "required": ["rows"],
        "additionalProperties": False,
    }


def _error() -> dict[str, Any]:
    position: dict[str, Any] = {"type": ["integer", "null"]}
    problem = {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "path": {"type": "string"},
            "file": {"type": ["string", "null"]},
            "line": position,
            "column": position,
        },
        "required": ["message", "path", "file", "line", "column"],
        "additionalProperties": False,
    }
    return {
        "$schema": _DRAFT,
        "title": "errors of costcalc --json, on stderr",
        "type": "object",
        "properties": {
            "schema": {"const": "costcalc.error/1"},
            "errors": {"type": "array", "items": problem, "minItems": 1},
            "exit_code": {"type": "integer"},
        },
        "required": ["schema", "errors", "exit_code"],
        "additionalProperties": False,
    }
