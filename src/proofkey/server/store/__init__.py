"""Where facts are kept: a contract, and the databases that keep it."""
