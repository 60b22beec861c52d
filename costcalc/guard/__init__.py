"""Budgets that guard a repository: what a configuration allows, held against what its models cost."""
