"""The `proofkey` command: one module per command group."""
