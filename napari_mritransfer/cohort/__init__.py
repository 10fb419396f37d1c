"""Subjects with labels: tables of scans, splits by person, volumes on one grid, and what networks say of them."""
