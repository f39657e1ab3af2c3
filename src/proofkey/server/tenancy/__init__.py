"""Tenants, workspaces and applications: what an administrator can do, as plain functions."""
