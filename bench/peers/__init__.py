"""The servers Proofkey is measured against, each set up by the book for the same flow."""
