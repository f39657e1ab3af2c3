"""Proofkey."""
