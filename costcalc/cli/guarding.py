"""The commands that hold a repository to its budgets."""

from __future__ import annotations
