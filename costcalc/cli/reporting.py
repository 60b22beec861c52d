"""The command that writes reports."""

from __future__ import annotations
