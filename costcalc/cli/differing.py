"""The command that says what changed between two versions."""

from __future__ import annotations
